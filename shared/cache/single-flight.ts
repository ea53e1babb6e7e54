import { currentInvocation, type Invocation } from '../telemetry.ts';

/**
 * Parallel reads of one thing inside one invocation are one read. Never across invocations: the later one may have
 * begun after a write that the earlier load did not see.
 */
const flights = new WeakMap<Invocation, Map<string, Promise<unknown>>>();

export async function oncePerInvocation<T>(name: string, work: () => Promise<T>): Promise<T> {
  const invocation = currentInvocation();
  if (!invocation) return work().then(deepFreeze);
  const own = flights.get(invocation) ?? new Map<string, Promise<unknown>>();
  flights.set(invocation, own);
  const running = own.get(name);
  if (running) return running as Promise<T>;
  const flight = work()
    .then(deepFreeze)
    .finally(() => own.delete(name));
  own.set(name, flight);
  return flight;
}

/** Whoever writes makes reads that began before no longer good enough for those that follow. */
export function forgetFlights(): void {
  const invocation = currentInvocation();
  if (invocation) flights.delete(invocation);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !ArrayBuffer.isView(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
