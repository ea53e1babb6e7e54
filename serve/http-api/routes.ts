import type { RouteEntry } from './serverless-file.ts';

export interface RouteMatch {
  route: RouteEntry;
  /** undefined when the route has none, as in the event */
  pathParameters: Record<string, string> | undefined;
}

/** Finds the route of a method and a decoded path as the HTTP API does: a full match wins over path parameters. */
export function routeFinder(routes: RouteEntry[]): (method: string, path: string) => RouteMatch | undefined {
  const isParameter = (segment: string): boolean => segment.startsWith('{');
  const literal = new Map(
    routes.filter(({ segments }) => !segments.some(isParameter)).map((route) => [route.key, route]),
  );
  // Literals before parameters from the left, so that the first match is the most specific one.
  const shape = (route: RouteEntry): string =>
    route.segments.map((segment) => (isParameter(segment) ? '1' : '0')).join('');
  const parametrised = routes
    .filter(({ segments }) => segments.some(isParameter))
    .sort((a, b) => (shape(a) < shape(b) ? -1 : 1));

  return (method, path) => {
    const route = literal.get(`${method} ${path}`);
    if (route) return { route, pathParameters: undefined };
    const presented = path.slice(1).split('/');
    for (const candidate of parametrised) {
      const pathParameters = candidate.method === method ? parametersOf(candidate.segments, presented) : undefined;
      if (pathParameters) return { route: candidate, pathParameters };
    }
    return undefined;
  };
}

function parametersOf(segments: string[], presented: string[]): Record<string, string> | undefined {
  if (segments.length !== presented.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const value = presented[index] ?? '';
    if (segment.startsWith('{')) {
      if (value === '') return undefined;
      parameters[segment.slice(1, -1)] = value;
    } else if (segment !== value) return undefined;
  }
  return parameters;
}
