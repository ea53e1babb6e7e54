/**
 * What serverless.yml cannot say, for every function that it declares, so that a new function needs no entry here:
 * - package, deploy: a role for each function and each schedule, in place of one role that all share; no domain where
 *   none is set;
 * - offline: the secrets of the environment. In a package they are references to Secrets Manager, whatever the
 *   environment holds.
 */
const SHARED_ROLE = 'IamRoleLambdaExecution';
/** Logical id of the queue in serverless.yml that keeps events which no run has processed. */
const DEAD_LETTERS = 'DeadLetters';
/** A schedule runs again after a minute anyway. */
const RETRIES = { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 60 };

/** @typedef {{ Type: string, DependsOn?: string | string[], Properties: Record<string, any> }} Resource */
/** @typedef {Record<string, Resource>} Resources */

export default class Deployment {
  /** @param {{ service: { provider: any, functions: Record<string, any>, resources: any } }} serverless */
  constructor({ service }) {
    const useEnvironment = () => takeSecrets(service.functions, process.env);
    this.hooks = {
      'before:package:initialize': () => leaveOutDomain(service.resources),
      'before:package:finalize': () => {
        const { compiledCloudFormationTemplate: template, tags } = service.provider;
        separateRoles(template.Resources, tags);
      },
      'before:offline:start': useEnvironment,
      'before:offline:start:init': useEnvironment,
    };
  }
}

/** @param {Record<string, { environment?: Record<string, string> }>} functions @param {NodeJS.ProcessEnv} environment */
function takeSecrets(functions, environment) {
  for (const { environment: variables = {} } of Object.values(functions)) {
    for (const [name, value] of Object.entries(variables)) {
      if (String(value).startsWith('{{resolve:')) variables[name] = environment[name] ?? '';
    }
  }
}

/** @param {{ Resources: Resources, Outputs: Record<string, unknown> }} declared */
function leaveOutDomain({ Resources, Outputs }) {
  if (Resources.Domain?.Properties.DomainName !== 'none') return;
  delete Resources.Domain;
  delete Resources.DomainMapping;
  delete Outputs.DomainTarget;
}

/** @param {Resources} resources @param {Record<string, string>} tags */
function separateRoles(resources, tags) {
  delete resources[SHARED_ROLE];
  for (const [id, resource] of Object.entries(resources)) {
    if (resource.DependsOn !== undefined) {
      const others = [resource.DependsOn].flat().filter((name) => name !== SHARED_ROLE);
      if (others.length > 0) resource.DependsOn = others;
      else delete resource.DependsOn;
    }
    if (resource.Type === 'AWS::Lambda::Function') {
      resources[`${id}Role`] = roleFor('lambda', statementsOfFunction(resources, id, resource.Properties), tags);
      resource.Properties.Role = { 'Fn::GetAtt': [`${id}Role`, 'Arn'] };
    }
    if (resource.Type === 'AWS::Scheduler::Schedule') {
      const { Target } = resource.Properties;
      const start = { Effect: 'Allow', Action: ['lambda:InvokeFunction'], Resource: [Target.Arn] };
      resources[`${id}Role`] = roleFor('scheduler', [start, SEND_DEAD_LETTERS], tags);
      Target.RoleArn = { 'Fn::GetAtt': [`${id}Role`, 'Arn'] };
      Target.RetryPolicy = RETRIES;
      Target.DeadLetterConfig = { Arn: { 'Fn::GetAtt': [DEAD_LETTERS, 'Arn'] } };
    }
  }
}

const SEND_DEAD_LETTERS = {
  Effect: 'Allow',
  Action: ['sqs:SendMessage'],
  Resource: [{ 'Fn::GetAtt': [DEAD_LETTERS, 'Arn'] }],
};

/**
 * Its own log group, which the template creates, and nothing else; the queue where failed events of it go; the key of
 * its environment.
 * @param {Resources} resources @param {string} id @param {Record<string, any>} properties
 */
function statementsOfFunction(resources, id, { FunctionName, KmsKeyArn }) {
  const group = `arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:/aws/lambda/${FunctionName}:*`;
  const hasDestination = Object.values(resources).some(
    ({ Type, Properties }) =>
      Type === 'AWS::Lambda::EventInvokeConfig' && JSON.stringify(Properties.FunctionName).includes(`"${id}"`),
  );
  return [
    { Effect: 'Allow', Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: [{ 'Fn::Sub': group }] },
    ...(hasDestination ? [SEND_DEAD_LETTERS] : []),
    ...(KmsKeyArn ? [{ Effect: 'Allow', Action: ['kms:Decrypt'], Resource: [KmsKeyArn] }] : []),
  ];
}

/** @param {string} service @param {object[]} statements @param {Record<string, string>} tags @returns {Resource} */
function roleFor(service, statements, tags) {
  const trust = { Effect: 'Allow', Principal: { Service: [`${service}.amazonaws.com`] }, Action: ['sts:AssumeRole'] };
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [trust] },
      Policies: [{ PolicyName: 'own', PolicyDocument: { Version: '2012-10-17', Statement: statements } }],
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    },
  };
}
