import type { CallerMark } from '../lock/give-back.ts';
import { marksOfCaller } from '../lock/known-caller.ts';
import { mintDeviceMark } from '../session/device-mark.ts';

/** The caller of a login, as endpoint() gives it. */
interface LoginCall {
  /** undefined: its address does not make the caller known. */
  ip: string | undefined;
  deviceMark: string | undefined;
  succeeded(...marks: CallerMark[]): Promise<void>;
}

/** Remembers the device of a successful login, and adds its mark to the answer. A device keeps the mark that it has. */
export async function remembered<Login extends object>(
  login: Login,
  account: string,
  { ip, deviceMark: device, succeeded }: LoginCall,
): Promise<Login & { deviceMark: string }> {
  const issued = device ?? mintDeviceMark();
  await succeeded(...marksOfCaller(account, { ip, device, issued }));
  return { ...login, deviceMark: issued };
}
