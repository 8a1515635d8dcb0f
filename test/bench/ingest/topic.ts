/** The topic that both sinks read. */
export const topic = 'flights';

/** How many partitions each topic of the benchmark has. */
export const PARTITIONS = 4;
