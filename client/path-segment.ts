/** One part of a path. A slash inside would name another route, so it is refused rather than encoded. */
export function segment(text: string | number): string {
  const part = String(text);
  if (part === '' || part.includes('/')) throw new TypeError('an id is not empty and holds no /');
  return part;
}
