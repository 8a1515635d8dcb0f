/** Spanner's limits. Source: https://cloud.google.com/spanner/quotas#tables */
export const MAX_KEY_COLUMNS = 16;
export const MAX_COLUMNS = 1024;
