import type { OpenScope, Scope } from '../../shared/app/app.ts';
import { type PublicCall, publicHeaders, type SignedSession } from './public-app.ts';
import type { TestAnswer, TestStack } from './stack.ts';

/** A public app of a test, its calls and the WeChat logins of people that nobody else uses. */
export interface PublicWorld {
  appId: string;
  /** Signed by the session, or by name alone. */
  call(
    signer: SignedSession | undefined,
    method: string,
    path: string,
    more?: Partial<PublicCall>,
  ): Promise<TestAnswer>;
  newPerson(): string;
  login(person: string, signer?: SignedSession): Promise<TestAnswer>;
  /** A login that must succeed. */
  logIn(person?: string, signer?: SignedSession): Promise<SignedSession>;
  /** `alive`, or why GET /me is refused. */
  stateOf(signer: SignedSession): Promise<string>;
}

const SCOPES: ReadonlyArray<Scope | OpenScope> = [
  ...(['login', 'register', 'plugin:issue', 'data:read', 'recharge'] as const),
  ...(['open:wechat', 'open:password', 'open:register', 'open:data'] as const),
];

let people = 0;

export async function publicWorld(stack: TestStack, known?: string): Promise<PublicWorld> {
  const appId = known ?? (await stack.createApp({ methods: ['SESSION-HMAC-SHA256'], scopes: SCOPES })).appId;
  const call: PublicWorld['call'] = (signer, method, path, more = {}) => {
    const target = more.query ? `${path}?${more.query}` : path;
    const body = more.body === undefined || typeof more.body === 'string' ? more.body : JSON.stringify(more.body);
    return stack.send(method, target, publicHeaders(appId, signer, { method, path, ...more }), body as string);
  };
  const newPerson = (): string => `public-person-${++people}`;
  const login: PublicWorld['login'] = (person, signer) =>
    call(signer, 'POST', '/login/wechat', { body: { code: stack.wechat.issueCode(person) } });
  return {
    appId,
    call,
    newPerson,
    login,
    async logIn(person = newPerson(), signer) {
      const answer = await login(person, signer);
      if (answer.status !== 200) throw new Error(`the login was refused: ${answer.status} ${answer.text}`);
      return answer.body;
    },
    stateOf: async (signer) => (await call(signer, 'GET', '/me')).body?.code ?? 'alive',
  };
}
