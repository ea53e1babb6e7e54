/** One part of a path. A slash would name another route, so it is refused, not encoded. */
export function segment(text: string | number): string {
  const part = String(text);
  if (part === '' || part.includes('/')) throw new TypeError('an id must not be empty or contain /');
  return part;
}
