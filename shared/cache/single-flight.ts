import { currentInvocation, type Invocation } from '../telemetry.ts';

/**
 * Parallel reads of the same thing in one invocation share one read. Invocations never share reads: the second may
 * begin after a write that the load of the first did not see.
 */
const flights = new WeakMap<Invocation, Map<string, Promise<unknown>>>();

/** Runs `work`, or waits for the run of the same name. The result is frozen, because it is shared. */
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

/** Call it after a write: later reads of this invocation must not share a read that began before the write. */
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
