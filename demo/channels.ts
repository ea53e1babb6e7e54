import { channelDigest } from '../client/channel-digest.ts';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';

/** Rows C1 to C6 (channel login): a user of a channel logs in, in three steps. */
export async function channelLogin({ story, caller, app, run }: Scene): Promise<string> {
  const { step } = story;
  const body = { channel: 'demo', channelUserId: `player-${run}` };
  const start = async () => answers(await caller.call(app, 'POST', '/login/channel', { body }), 200);
  const proof = ({ accountAddress, firstString }: { accountAddress: string; firstString: string }) => {
    const timeStamp = String(Math.floor(Date.now() / 1000));
    return { accountAddress, digest: channelDigest('MD5', accountAddress, firstString, timeStamp), timeStamp };
  };
  const verify = (proven: ReturnType<typeof proof>, remark?: string) =>
    caller.call(app, 'POST', '/login/channel/verify', { body: proven, ...(remark && { remark }) });

  const first = await step('C1', 'the channel’s login information: an account address and a first string', start);
  await step('C3', 'a digest of other login information fails', async () => {
    const wrong = proof({ ...first, firstString: 'not the first string' });
    answers(await verify(wrong, 'made from another string'), 401, 'LOGIN_INFO_MISMATCH');
  });
  const verified = await step(
    'C2 C4 C5',
    'the MD5 digest is accepted: creates the account, returns a login list and a second string',
    async () => {
      const answer = answers(await verify(proof(first)), 200);
      must(answer.created === true && answer.account === first.accountAddress, 'a new account at that address');
      must(answer.loginList.length > 0 && answer.secondString.length > 0, 'a login list and a second string');
      return answer;
    },
  );
  const enter = (secondString: string, entry: unknown, remark?: string) => {
    const entering = { accountAddress: first.accountAddress, secondString, entry };
    return caller.call(app, 'POST', '/login/channel/enter', { body: entering, ...(remark && { remark }) });
  };
  await step('C6', 'a wrong second string, and an entry that is not on the list, do not enter', async () => {
    const [entry] = verified.loginList;
    answers(await enter('x'.repeat(43), entry, 'wrong second string'), 401, 'LOGIN_INFO_MISMATCH');
    const elsewhere = { address: '203.0.113.9', port: 1 };
    answers(await enter(verified.secondString, elsewhere, 'not on the list'), 401, 'LOGIN_INFO_MISMATCH');
  });
  const token = await step(
    'C6',
    'the second string and an entry of the list open a session; the string is valid once',
    async () => {
      const [entry] = verified.loginList;
      const entered = answers(await enter(verified.secondString, entry), 200);
      answers(await enter(verified.secondString, entry, 'once more'), 401, 'LOGIN_INFO_MISMATCH');
      return entered.token as string;
    },
  );
  await step('C4', 'the same channel user gets the existing account', async () => {
    const again = await start();
    must(again.accountAddress === first.accountAddress, 'the same address');
    must(answers(await verify(proof(again)), 200).created === false, 'no second account');
  });
  return token;
}
