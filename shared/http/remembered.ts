import type { CallerMark } from '../lock/give-back.ts';
import { marksOfCaller } from '../lock/known-caller.ts';
import { inOneRequest } from '../redis.ts';
import { mintDeviceMark } from '../session/device-mark.ts';

/** The caller of a login, as endpoint() gives it. */
interface LoginCall {
  /** undefined: its address does not make the caller known. */
  ip: string | undefined;
  deviceMark: string | undefined;
  succeeded(...marks: CallerMark[]): Promise<void>;
}

/** Remembers the device of a successful login, and adds its mark to the answer. A device keeps the mark that it has. */
export async function remembered(
  { answer, settle }: { answer: object; settle(): Promise<void> },
  account: string,
  { ip, deviceMark: device, succeeded }: LoginCall,
): Promise<object> {
  const issued = device ?? mintDeviceMark();
  const marks = marksOfCaller(account, { ip, device, issued });
  await inOneRequest(() => Promise.all([succeeded(...marks), settle()]));
  return { ...answer, deviceMark: issued };
}
