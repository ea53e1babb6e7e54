/** The stage's limit as API Gateway counts it: one token bucket for each route, shared by all callers. */
export function throttle(ratePerSecond: number, burst: number, now: () => number): (routeKey: string) => boolean {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (routeKey) => {
    const at = now();
    const bucket = buckets.get(routeKey) ?? { tokens: burst, at };
    buckets.set(routeKey, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) / 1000) * ratePerSecond);
    bucket.at = at;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
}
