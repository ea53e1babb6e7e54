import type { RouteEntry } from './serverless-file.ts';

export interface RouteMatch {
  route: RouteEntry;
  /** undefined: the route has no parameters. */
  pathParameters: Record<string, string> | undefined;
}

/** Finds the route of a method and a decoded path. As in API Gateway a full match wins over path parameters. */
export function routeFinder(routes: RouteEntry[]): (method: string, path: string) => RouteMatch | undefined {
  const isParameter = (segment: string): boolean => segment.startsWith('{');
  const literal = new Map(
    routes.filter(({ segments }) => !segments.some(isParameter)).map((route) => [route.key, route]),
  );
  // From the left, fixed segments come before parameters. So the first match is the most specific route.
  const shape = (route: RouteEntry): string =>
    route.segments.map((segment) => (isParameter(segment) ? '1' : '0')).join('');
  const parametrised = routes
    .filter(({ segments }) => segments.some(isParameter))
    .sort((a, b) => (shape(a) < shape(b) ? -1 : 1));

  return (method, path) => {
    const route = literal.get(`${method} ${path}`);
    if (route) return { route, pathParameters: undefined };
    const values = path.slice(1).split('/');
    for (const candidate of parametrised) {
      const pathParameters = candidate.method === method ? parametersOf(candidate.segments, values) : undefined;
      if (pathParameters) return { route: candidate, pathParameters };
    }
    return undefined;
  };
}

function parametersOf(segments: string[], values: string[]): Record<string, string> | undefined {
  if (segments.length !== values.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const value = values[index] ?? '';
    if (segment.startsWith('{')) {
      if (value === '') return undefined;
      parameters[segment.slice(1, -1)] = value;
    } else if (segment !== value) return undefined;
  }
  return parameters;
}
