/** The Google Cloud project that the laptop's cloud plays. */
export const localProject = 'penstock-local';
