import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type CheckoutCopy, copyCheckout } from '../support/checkout-copy.ts';
import { mysqlForTests } from '../support/engines.ts';

/** Tests that check all routes, resources, functions and files. */
const GO_OVER_ALL = [
  ...['unit', 'engines', 'packages'].flatMap((lane) => ['--project', lane]),
  ...['test/house', 'test/admission/refusals', 'test/http/answers', 'test/hostile/bad-input', 'test/portal/data'],
  ...[
    '--exclude',
    'test/house/{template-rights,template-secrets,run-bundles,readable-bundles,bundle-texts,source-places}.package.test.ts',
  ],
];

/** Follows "Add data of your own" and "A list in five minutes" of docs/first-steps.md, as printed. */
function addResource(copy: CheckoutCopy): void {
  const page = copy.read('docs/first-steps.md');
  const printed = (form: RegExp): string => form.exec(page)?.[1] ?? '';
  const table = printed(/```sql\n(CREATE TABLE articles .*?)```/s);
  const index = printed(/```sql\n(ALTER TABLE articles\n.*?)```/s);
  const entry = printed(/```ts\n( {2}\{\n {4}name: 'article',.*?)```/s);
  const lists = printed(/```ts\n( {4}lists: \[\n.*?)```/s);
  expect([table, index, entry, lists].map((text) => text.length > 70)).toEqual([true, true, true, true]);
  const taken = readdirSync(join(copy.path, 'db/migrations')).filter((name) => name.endsWith('.sql'));
  const next = Math.max(...taken.map((name) => Number.parseInt(name, 10))) + 1;
  copy.write(`db/migrations/${String(next).padStart(4, '0')}_articles.sql`, table);
  copy.write(`db/migrations/${String(next + 1).padStart(4, '0')}_article_list.sql`, index);
  const list = 'const declared: Resource[] = [\n';
  const last = '    warmNewest: 20,\n';
  copy.edit('shared/data/resources.ts', list, list + entry.replace(last, last + lists));
}

/** Adds a file in functions/ that declares a route with endpoint(), like functions/business.ts, and its event. */
function addRoute(copy: CheckoutCopy): void {
  copy.write(
    'functions/articles.ts',
    `import * as v from 'valibot';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';

const rate = endpoint(
  {
    route: 'POST /articles/{id}/ratings',
    auth: 'user',
    scope: 'data:read',
    path: v.object({ id: v.string() }),
    body: v.strictObject({ stars: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5)) }),
  },
  async ({ path, body }) => ({ id: path.id, stars: body.stars }),
);

export const handler = serve(rate);
`,
  );
  const next = '\n  recharge:\n    handler';
  copy.edit(
    'serverless.yml',
    next,
    `
  articles:
    handler: dist/articles.handler
    package: { patterns: [dist/articles.mjs] }
    environment:
      <<: [*engines, *sessions]
    events:
      - httpApi: { method: POST, path: '/articles/{id}/ratings', authorizer: *signed }
${next}`,
  );
}

/** Writes bundles that look like an old `npm run build`: a test that uses one of them fails. */
function leaveStaleBundles(copy: CheckoutCopy): void {
  mkdirSync(join(copy.path, 'dist'), { recursive: true });
  for (const name of [
    'authorizer',
    'business',
    'login',
    'account',
    'recharge',
    'health',
    'plugin-token',
    'plugin-validation',
  ]) {
    copy.write(`dist/${name}.mjs`, "export const handler = async () => { throw new Error('stale'); };\n");
  }
}

/**
 * Runs `npx vitest run FILES` in the copy, with this run's MySQL. Returns the failed tests and the number that passed.
 */
async function runTests(copy: CheckoutCopy, ...argv: string[]): Promise<{ failed: string[]; passed: number }> {
  const { host, port, user, password } = mysqlForTests();
  const report = join(copy.path, 'report.json');
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...argv], {
    cwd: copy.path,
    env: {
      ...{ PATH: process.env.PATH, HOME: process.env.HOME, TEST_REPORT: report },
      MYSQL_URL: `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}`,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  const { testResults, numPassedTests } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const failed = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const tests = assertionResults.filter((one) => one.status === 'failed');
    if (tests.length === 0 && status === 'failed') return [`${name}: ${message}`];
    return tests.map((one) => `${name}: ${one.fullName}: ${one.failureMessages[0]?.slice(0, 500)}`);
  });
  if (code !== 0 && failed.length === 0) throw new Error(`vitest ended with ${code}: ${said}`);
  return { failed, passed: numPassedTests };
}

interface Report {
  numPassedTests: number;
  testResults: Array<{
    name: string;
    status: string;
    message: string;
    assertionResults: Array<{ fullName: string; status: string; failureMessages: string[] }>;
  }>;
}

test('adding a resource, a list and a route as the documents say breaks no test, also with old bundles in dist/', {
  timeout: 600_000,
}, async () => {
  const copy = copyCheckout();
  onTestFinished(() => copy.remove());
  addResource(copy);
  addRoute(copy);
  leaveStaleBundles(copy);

  const { failed, passed } = await runTests(copy, ...GO_OVER_ALL);
  expect(failed).toEqual([]);
  expect(passed).toBeGreaterThan(200);
  // Tests that check all routes include the new one without a change.
  const added = await runTests(copy, 'test/hostile/faults', '-t', 'articles');
  expect(added).toEqual({ failed: [], passed: 1 });
});
