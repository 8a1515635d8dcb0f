/** What a source's `pattern` stands for: it must match a topic's whole name. */
export function topicPattern(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, 'u');
}
