import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readServerlessFile } from '../../serve/http-api/serverless-file.ts';
import { type Packaged, packageTemplate, projectFolder, type Resource } from '../support/package-template.ts';

const { functions, schedules } = readServerlessFile(join(projectFolder, 'serverless.yml'));
const functionNames = [...functions.keys()];
const scheduled = schedules.map(({ functionName }) => functionName);
let packaged: Packaged;

beforeAll(() => {
  packaged = packageTemplate(functionNames);
});

const statementsOf = (role: { 'Fn::GetAtt': [string, string] }): Resource['Properties'][] =>
  packaged.resources[role['Fn::GetAtt'][0]]?.Properties.Policies.flatMap(
    ({ PolicyDocument }: Resource['Properties']) => PolicyDocument.Statement,
  );

describe('the rights of a deployment', () => {
  test('each function has a role of its own, which can write the log group of this function', () => {
    const roles = new Set<string>();
    for (const { Properties } of packaged.ofType('AWS::Lambda::Function')) {
      roles.add(Properties.Role['Fn::GetAtt'][0]);
      const [logs, ...others] = statementsOf(Properties.Role);
      expect(logs.Action).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
      expect(JSON.stringify(logs.Resource)).toContain(`:log-group:/aws/lambda/${Properties.FunctionName}:*`);
      const mayFail = scheduled.some((name) => Properties.FunctionName === `miniapp-cloud-prod-${name}`);
      expect(others.map(({ Action }) => Action)).toEqual(mayFail ? [['sqs:SendMessage']] : []);
    }
    expect(roles.size).toBe(functionNames.length);
  });

  test('each schedule has a role of its own, which can start its function and keep what was not delivered', () => {
    const found = packaged.ofType('AWS::Scheduler::Schedule');
    expect(found).toHaveLength(schedules.length);
    for (const { Properties } of found) {
      const { Arn, RoleArn } = Properties.Target;
      const [start, send] = statementsOf(RoleArn);
      expect(start).toMatchObject({ Action: ['lambda:InvokeFunction'], Resource: [Arn] });
      expect(send).toMatchObject({ Action: ['sqs:SendMessage'], Resource: [{ 'Fn::GetAtt': ['DeadLetters', 'Arn'] }] });
    }
    expect(packaged.ofType('AWS::IAM::Role')).toHaveLength(functionNames.length + schedules.length);
  });

  test('no role has a wildcard action, or a resource that another stage shares', () => {
    for (const { Properties } of packaged.ofType('AWS::IAM::Role')) {
      for (const { Action, Resource: arns } of Properties.Policies[0].PolicyDocument.Statement) {
        expect(JSON.stringify(Action)).not.toContain('*');
        expect(JSON.stringify(arns)).not.toMatch(/"\*"|prod\*|dev\*/);
      }
    }
  });
});

describe('a schedule that fails', () => {
  test('is tried again within its minute, and its event is kept when that fails too', () => {
    for (const { Properties } of packaged.ofType('AWS::Scheduler::Schedule')) {
      expect(Properties.Target).toMatchObject({
        RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 60 },
        DeadLetterConfig: { Arn: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] } },
      });
    }
    expect(packaged.resources.DeadLetters?.Properties).toMatchObject({ SqsManagedSseEnabled: true });
  });

  test('does not leave a queue of old runs: an event is dropped after a minute, and a failed run is kept', () => {
    const settings = packaged.ofType('AWS::Lambda::EventInvokeConfig').map(({ Properties }) => Properties);
    expect(settings).toHaveLength(scheduled.length);
    for (const setting of settings) {
      expect(setting).toMatchObject({
        MaximumRetryAttempts: 0,
        MaximumEventAgeInSeconds: 60,
        DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': ['DeadLetters', 'Arn'] } } },
      });
    }
  });
});

describe('the HTTP API', () => {
  test('writes one access line for each request, without address, token and query', () => {
    const { Format } = packaged.resources.HttpApiStage?.Properties.AccessLogSettings ?? {};
    expect(Object.keys(JSON.parse(Format))).toEqual(expect.arrayContaining(['requestId', 'route', 'status', 'ms']));
    expect(Format).not.toMatch(/sourceIp|userAgent|access-token|authorization|queryString|\$context\.path/i);
  });

  test('names service and stage in the tags of every function, role, queue and API', () => {
    const tagged = ['AWS::Lambda::Function', 'AWS::IAM::Role', 'AWS::SQS::Queue', 'AWS::ApiGatewayV2::Api'];
    for (const { Type, Properties } of tagged.flatMap((type) => packaged.ofType(type))) {
      const tags = JSON.stringify(Properties.Tags ?? {});
      expect([Type, tags]).toEqual([Type, expect.stringMatching(/miniapp-cloud.*prod/)]);
    }
  });

  test('can be called at its default address only while no domain is set', () => {
    const isOff = (from: Packaged) => from.resources.HttpApi?.Properties.DisableExecuteApiEndpoint;
    expect([isOff(packaged), packaged.resources.Domain, packaged.outputs.DomainTarget]).toEqual([
      false,
      undefined,
      undefined,
    ]);
    const certificate = 'arn:aws:acm:ap-southeast-1:123456789012:certificate/abc';
    const named = packageTemplate(functionNames, {
      cliArguments: ['--param', 'domain=api.example.com', '--param', `certificateArn=${certificate}`],
    });
    expect(isOff(named)).toBe(true);
    expect(named.resources.Domain?.Properties).toMatchObject({
      DomainName: 'api.example.com',
      DomainNameConfigurations: [{ CertificateArn: certificate, SecurityPolicy: 'TLS_1_2' }],
    });
    // A mapping key would be a part of the path, which clients did not sign.
    expect(named.resources.DomainMapping?.Properties).not.toHaveProperty('ApiMappingKey');
  });
});

test('a key of the deployer’s own encrypts the environment of every function, and each role can decrypt with it', () => {
  const key = 'arn:aws:kms:ap-southeast-1:123456789012:key/abc';
  const own = packageTemplate(functionNames, { cliArguments: ['--param', `kmsKeyArn=${key}`] });
  for (const { Properties } of own.ofType('AWS::Lambda::Function')) {
    expect(Properties.KmsKeyArn).toBe(key);
    const role = own.resources[Properties.Role['Fn::GetAtt'][0]];
    expect(JSON.stringify(role)).toContain('kms:Decrypt');
  }
  for (const { Properties } of packaged.ofType('AWS::Lambda::Function')) expect(Properties.KmsKeyArn).toBeUndefined();
});
