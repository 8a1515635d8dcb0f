/** The topic that both sinks read. */
export const topic = 'flights';
