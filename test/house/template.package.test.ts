import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readServerlessFile } from '../../serve/http-api/serverless-file.ts';
import { bundleFolder } from '../support/bundles.ts';
import { type Packaged, packageTemplate, projectFolder, type Resource } from '../support/package-template.ts';

const serverlessFile = readServerlessFile(join(projectFolder, 'serverless.yml'));
const functionNames = [...serverlessFile.functions.keys()];
let packaged: Packaged;

beforeAll(() => {
  packaged = packageTemplate(functionNames);
});

function lambda(name: string): Resource['Properties'] {
  const functions = packaged.ofType('AWS::Lambda::Function').map(({ Properties }) => Properties);
  return functions.find(({ FunctionName }) => FunctionName === `miniapp-cloud-prod-${name}`);
}

const open = [
  'GET /health',
  ...['POST /recharge/notify/{provider}', 'GET /recharge/notify/{provider}'],
  ...['POST /wechat/push/{wechatAppid}', 'GET /wechat/push/{wechatAppid}'],
];

/** Functions behind API Gateway, which waits for 30 s. The others run on a schedule. */
const called = new Set(serverlessFile.routes.map(({ functionName }) => functionName));

describe('the packaged template', () => {
  test('sends each route to its function, and has no other routes', () => {
    const found = packaged.ofType('AWS::ApiGatewayV2::Route').map(({ Properties }) => {
      const integration = Properties.Target['Fn::Join'][1][1].Ref as string;
      const target = packaged.resources[integration]?.Properties;
      expect(target).toMatchObject({ IntegrationType: 'AWS_PROXY', PayloadFormatVersion: '2.0' });
      const logicalId = JSON.stringify(target.IntegrationUri).match(/(\w+)LambdaFunction/)?.[1];
      const named = packaged.resources[`${logicalId}LambdaFunction`]?.Properties.FunctionName as string;
      return `${named.replace('miniapp-cloud-prod-', '')}: ${Properties.RouteKey}`;
    });
    const expected = serverlessFile.routes.map(({ functionName, key }) => `${functionName}: ${key}`);
    expect(found.sort()).toEqual(expected.sort());
  });

  test('puts the authorizer before every route except health, notifications and message pushes', () => {
    for (const { Properties } of packaged.ofType('AWS::ApiGatewayV2::Route')) {
      const guard = open.includes(Properties.RouteKey)
        ? [undefined, undefined]
        : ['CUSTOM', { Ref: 'HttpApiAuthorizerAccessDashtoken' }];
      expect([Properties.RouteKey, Properties.AuthorizationType, Properties.AuthorizerId]).toEqual([
        Properties.RouteKey,
        ...guard,
      ]);
    }
  });

  test('has a REQUEST authorizer with simple answers that are never cached', () => {
    expect(packaged.ofType('AWS::ApiGatewayV2::Authorizer').map(({ Properties }) => Properties)).toEqual([
      expect.objectContaining({
        AuthorizerType: 'REQUEST',
        AuthorizerPayloadFormatVersion: '2.0',
        EnableSimpleResponses: true,
        AuthorizerResultTtlInSeconds: 0,
        IdentitySource: ['$request.header.access-token'],
      }),
    ]);
  });

  test('runs every function on arm64 and nodejs22.x or newer, with one vCPU for password hashes', () => {
    expect(packaged.ofType('AWS::Lambda::Function')).toHaveLength(functionNames.length);
    for (const name of functionNames) {
      const { Runtime, Architectures, MemorySize, Timeout } = lambda(name);
      expect(Number(/^nodejs(\d+)\.x$/.exec(Runtime)?.[1])).toBeGreaterThanOrEqual(22);
      expect([name, Architectures, MemorySize]).toEqual([name, ['arm64'], name === 'login' ? 1769 : 512]);
      expect(Timeout).toBeLessThanOrEqual(called.has(name) || name === 'authorizer' ? 29 : 59);
    }
  });

  test('contains one bundle for each function and nothing else', () => {
    for (const name of functionNames) expect(packaged.zips[name]).toEqual([`dist/${name}.mjs`]);
  });

  test('runs cache-warm, recharge-sweep and upload-sweep every minute, and never one of them twice at the same time', () => {
    const schedules = packaged
      .ofType('AWS::Scheduler::Schedule')
      .map(({ Properties }) => [
        JSON.stringify(Properties.Target.Arn).match(/(\w+)LambdaFunction/)?.[1],
        Properties.ScheduleExpression,
        JSON.parse(Properties.Target.Input),
      ]);
    expect(schedules.sort()).toEqual([
      ['CacheDashwarm', 'rate(1 minute)', { kind: 'cache-warm' }],
      ['RechargeDashsweep', 'rate(1 minute)', { kind: 'recharge-sweep' }],
      ['UploadDashsweep', 'rate(1 minute)', { kind: 'upload-sweep' }],
    ]);
    expect(lambda('cache-warm').ReservedConcurrentExecutions).toBe(1);
    expect(lambda('recharge-sweep').ReservedConcurrentExecutions).toBe(1);
    expect(lambda('upload-sweep').ReservedConcurrentExecutions).toBe(1);
  });

  test('reserves concurrency within the limit of an account, and can omit it for a small account', () => {
    const reserved = (from: Packaged): number[] =>
      from.ofType('AWS::Lambda::Function').flatMap(({ Properties }) => Properties.ReservedConcurrentExecutions ?? []);
    expect(reserved(packaged)).toHaveLength(8);
    expect(reserved(packaged).reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(900);
    expect(lambda('authorizer').ReservedConcurrentExecutions).toBe(Math.max(...reserved(packaged)));
    expect(reserved(packageTemplate(functionNames, { cliArguments: ['--param', 'reservations=off'] }))).toEqual([]);
  });

  test('keeps the logs of every function, and the access log, for 30 days', () => {
    const groups = packaged.ofType('AWS::Logs::LogGroup').map(({ Properties }) => Properties);
    const ofFunctions = functionNames.map((name) => `/aws/lambda/miniapp-cloud-prod-${name}`);
    expect(groups.map(({ LogGroupName }) => LogGroupName).sort()).toEqual(
      [...ofFunctions, '/aws/http-api/miniapp-cloud-prod'].sort(),
    );
    for (const { RetentionInDays } of groups) expect(RetentionInDays).toBe(30);
  });

  test('limits the rate of every route of the stage', () => {
    expect(packaged.resources.HttpApiStage?.Properties.DefaultRouteSettings).toMatchObject({
      ThrottlingRateLimit: expect.any(Number),
      ThrottlingBurstLimit: expect.any(Number),
    });
  });

  test('allows calls from the named H5 origins, which can read the date and the rate limits', () => {
    const { CorsConfiguration: cors } = packaged.resources.HttpApi?.Properties ?? {};
    expect(cors.AllowOrigins).not.toContain('*');
    expect(cors.AllowMethods).toEqual(['GET', 'POST', 'PUT', 'DELETE']);
    expect(cors.ExposeHeaders).toEqual([
      'Date',
      'x-request-id',
      'apigw-requestid',
      'x-cache',
      'retry-after',
      'ratelimit',
      'ratelimit-policy',
    ]);
    expect(cors.AllowHeaders).toEqual(
      expect.arrayContaining([
        'access-token',
        'authorization',
        'x-content-sha256',
        'idempotency-key',
        'accept-language',
      ]),
    );
  });
});

describe('the environment of a function', () => {
  /** Names of .env.example, and whether the comment above each says "local only". */
  const known = [
    ...readFileSync(join(projectFolder, '.env.example'), 'utf8').matchAll(/(# local only\n)?^([A-Z_]+)=/gm),
  ].map(([, localOnly, name]) => ({ name: name ?? '', deployed: localOnly === undefined }));
  const namesOf = (name: string): string[] => Object.keys(lambda(name).Environment.Variables);
  const built = functionNames.filter((name) => existsSync(join(bundleFolder(), `${name}.mjs`)));

  test('contains only names of .env.example, and never the sandbox', () => {
    const deployed = known.filter((entry) => entry.deployed).map(({ name }) => name);
    expect(known).toContainEqual({ name: 'SANDBOX_KEY', deployed: false });
    for (const name of functionNames) expect(deployed).toEqual(expect.arrayContaining(namesOf(name)));
    expect(JSON.stringify(packaged.resources)).not.toContain('SANDBOX_KEY');
  });

  test.each(built)('%s has exactly the names that its bundle reads', (name) => {
    const bundle = readFileSync(join(bundleFolder(), `${name}.mjs`), 'utf8');
    const read = known.filter((entry) => entry.deployed && new RegExp(`["'\`]${entry.name}["'\`]`).test(bundle));
    expect(namesOf(name).sort()).toEqual(read.map((entry) => entry.name).sort());
  });
});
