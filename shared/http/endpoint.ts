import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type { AdmissionRequest } from '../admission/request.ts';
import { ignoreEngine } from '../cache/write.ts';
import { AppError } from '../errors.ts';
import { callRules, targetsOfRoute } from '../lock/default-rules.ts';
import { addressIdentities } from '../lock/ip-identity.ts';
import { checkRules, type LockTarget } from '../lock/rule.ts';
import type { ObjectSchema } from '../parse.ts';
import { parseDeviceMark } from '../session/device-mark.ts';
import { sessionCheck } from '../session/session.ts';
import { noteCaller, useReservedTime } from '../telemetry.ts';
import {
  authorizerContext,
  type CallingApp,
  callingApp,
  isV1,
  type ProvenContext,
  proofOf,
  SIGNED_WITH,
} from './caller.ts';
import type { Auth, Call, Declaration, Permission } from './declaration.ts';
import { bodyBytes, headerOf, limitBody, sha256Hex } from './event.ts';
import { type Input, parseInput } from './input.ts';
import type { Route } from './lambda.ts';
import { type Charged, passAdmission } from './pass-admission.ts';
import { isOurFailure } from './problem.ts';
import { checkEntry, sessionOf } from './proof.ts';

/**
 * The only way to declare a handler behind the authorizer, so that none exists without admission. The current user is a
 * typed, frozen parameter, never a global (row B4 (current user)). The API description fixes the order of the refusals.
 */
export function endpoint<
  A extends Auth,
  P extends ObjectSchema | undefined = undefined,
  Q extends ObjectSchema | undefined = undefined,
  H extends ObjectSchema | undefined = undefined,
  B extends ObjectSchema | undefined = undefined,
  F = unknown,
>(declaration: Declaration<P, Q, H, B, F, A>, handle: (call: Call<P, Q, H, B, F, A>) => Promise<unknown>): Route {
  const { route, callLimits, rules = [] } = declaration;
  const declared = checkRules(route, [...rules, ...(callLimits ? callRules(callLimits) : [])]);
  const targets = targetsOfRoute(route, declared, callLimits);
  return {
    route,
    success: declaration.success ?? 'ok',
    demands: declaration,
    rules: declared,
    answer: async (event, _context, leaseId) => {
      const charged: Charged = {};
      try {
        return await handle(await admitted(declaration, targets, event, leaseId, charged));
      } catch (error) {
        if (isOurFailure(error)) await giveBackAll(charged);
        else if (isLocked(error)) await charged.admitted?.giveBack().catch(ignoreEngine);
        throw error;
      }
    },
  };
}

/**
 * A call that ends in a failure of ours is charged nothing, whatever the rule and the reason: an engine or another
 * server that failed, a full queue, no time left, a fault in the code. One request to Redis, and only then. Redis is
 * down: the charge ends with its window.
 */
async function giveBackAll({ admitted, unanswered }: Charged): Promise<void> {
  const charges = [admitted, unanswered].filter((charge) => charge !== undefined);
  if (charges.length === 0) return;
  useReservedTime();
  await Promise.all(charges.map((charge) => charge.giveBackAll().catch(ignoreEngine)));
}

/** A call that is refused after admission as one too many at once is counted as a call. It has failed at nothing. */
const isLocked = (error: unknown): boolean => error instanceof AppError && error.code === 'LOCKED';

async function admitted<P, Q, H, B, F, A extends Auth>(
  declaration: Declaration<P, Q, H, B, F, A>,
  targets: readonly LockTarget[],
  event: APIGatewayProxyEventV2,
  leaseId: string,
  charged: Charged,
): Promise<Call<P, Q, H, B, F, A>> {
  const context = authorizerContext(event);
  noteCaller({ app: context.appId, address: context.address, proof: SIGNED_WITH[context.signatureMethod] });
  const app = callingApp(context);
  const proof = proofOf(context);
  checkPermission(declaration, event, context, app);
  const bytes = bodyBytes(event);
  limitBody(bytes);
  checkBodyHash(context, bytes);
  const parsed = parseInput<P, Q, H, B>(declaration, event, bytes);
  // Before the lookup, which may ask an engine: anybody can name a public app.
  if (proof === 'none' && declaration.auth === 'user') throw new AppError('LOGIN_REQUIRED');
  const found = await declaration.lookup?.(parsed, app);
  const input = { ...parsed, ...found } as Input<P, Q, H, B> & F;
  const { auth, open } = declaration;
  const session = sessionOf(event, context, app, { auth, open, needsUser: needsUser(declaration, input) });
  if (session) noteCaller({ userId: session.userId });
  const deviceMark = parseDeviceMark(headerOf(event, 'device-mark'));
  const address = addressIdentities(event.requestContext.http.sourceIp);
  const request: AdmissionRequest = {
    requestId: leaseId,
    token: tokenOf(context, leaseId),
    unsafe: event.requestContext.http.method !== 'GET',
    targets: [...targets, ...(declaration.targets?.(input) ?? [])],
    identities: {
      app: app.appId,
      ...address,
      ...(deviceMark && { device: deviceMark }),
      ...(session && { user: session.userId, session: session.tokenHash }),
      ...declaration.identities?.(input),
    },
    reads: declaration.reads?.(input, { app, userId: session?.userId }) ?? [],
    ...(session && { session: sessionCheck(session, app.appId) }),
  };
  const { admission, user } = await passAdmission(request, session, charged);
  return {
    ...input,
    app,
    proof,
    signedBy: proof === 'session' ? session : undefined,
    user: user as Call<P, Q, H, B, F, A>['user'],
    reads: admission.reads,
    leaseId,
    ip: address.ip,
    device: deviceOf(event),
    deviceMark,
    // The call has already taken effect. A charge that cannot be given back ends with its window.
    succeeded: (...marks) => admission.giveBack(...marks).catch(ignoreEngine),
  };
}

/** Throws SCOPE_DENIED, SIGNATURE_TOO_WEAK. */
function checkPermission(
  permission: Permission & { auth: Auth },
  event: APIGatewayProxyEventV2,
  context: ProvenContext,
  app: CallingApp,
): void {
  const { permits, scope, orScope, v2Only } = permission;
  const permitted = permits?.(event.pathParameters ?? {}, app) ?? true;
  const hasScope = app.scopes.includes(scope) || (orScope !== undefined && app.scopes.includes(orScope));
  if (!hasScope || !permitted) throw new AppError('SCOPE_DENIED');
  checkEntry(permission, proofOf(context), app);
  if (v2Only && app.signsV1) throw new AppError('SIGNATURE_TOO_WEAK');
}

/** v2 and v3 signed the declared hash; others may declare one, too. Throws BODY_HASH_MISMATCH. */
function checkBodyHash(context: ProvenContext, bytes: Buffer): void {
  const isSigned = !isV1(context) && context.signatureMethod !== 'NAMED';
  const bound = isSigned || context.bodySha256 !== '';
  if (!bound) return;
  const declared = context.bodySha256 === '' ? sha256Hex(Buffer.alloc(0)) : context.bodySha256;
  if (declared !== sha256Hex(bytes)) throw new AppError('BODY_HASH_MISMATCH');
}

const needsUser = <P, Q, H, B, F, A extends Auth>(
  { auth, needsUser }: Declaration<P, Q, H, B, F, A>,
  input: Input<P, Q, H, B> & F,
): boolean => auth === 'user' || (auth === 'by-input' && needsUser?.(input) === true);

/** A named call has no signature: its record, if it needs one, is that of this request. */
function tokenOf(context: ProvenContext, requestId: string): AdmissionRequest['token'] {
  const { appId, keyId, nonce } = context;
  if (context.signatureMethod === 'NAMED') {
    const signature = sha256Hex(Buffer.from(requestId));
    const timeStamp = Math.floor(Date.now() / 1000);
    return { appId, keyId, nonce, signature, timeStamp, version: 2, unsigned: true };
  }
  const { signature, timeStamp } = context;
  return { appId, keyId, nonce, signature, timeStamp, version: isV1(context) ? 1 : 2 };
}

const deviceOf = (event: APIGatewayProxyEventV2): string =>
  (headerOf(event, 'user-agent') ?? '').replace(/[^\x20-\x7e]/g, '').slice(0, 120);
