import { describe, expect, test } from 'vitest';
import { type Room, readPage, readRooms, withRooms } from '../../docs/draw-rooms.ts';
import { readSource, sourceFiles } from '../support/source-files.ts';

/** docs/rooms.json says which room may import which. A room is above the rooms that it imports. */
const rooms = readRooms();
const files = new Map(sourceFiles().map((file) => [file, readSource(file)]));

/** Files with a dynamic import that a parser cannot follow, and the rooms that it reaches. A bundle is in no room. */
const COMPUTED: Record<string, string[]> = {
  'bench/auth-anchors.ts': [],
  'build/tool.mjs': [],
  'portal/lock-targets.ts': ['functions'],
  'serve/http-api/lambda-worker.mjs': [],
  'serve/http-api/lambda.ts': [],
  'test/hostile/attacks.test.ts': [],
  'test/support/every-route.ts': ['functions'],
};

/** `serve/` means everything below the folder, `shared/*.ts` the files directly in it. */
const isIn = (file: string, pattern: string): boolean =>
  pattern.endsWith('/')
    ? file.startsWith(pattern)
    : new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`).test(file);
const roomsOf = (file: string): Room[] => rooms.filter((room) => room.files.some((pattern) => isIn(file, pattern)));
const nameOf = (file: string): string => roomsOf(file)[0]?.room ?? `no room (${file})`;

/** `<file> -> <imported file>` for each import from another room. */
const crossings = [...files].flatMap(([file, imports]) => {
  const from = nameOf(file);
  const reached = imports.files.map((target) => ({ to: nameOf(target), line: `${file} -> ${target}` }));
  const computed = (COMPUTED[file] ?? []).map((to) => ({ to, line: `${file} -> ${to}, computed` }));
  return [...reached, ...computed].filter(({ to }) => to !== from).map((crossing) => ({ from, ...crossing }));
});

/** Each import cycle once, as a path that ends with its first file. */
function circles(graph: Map<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (node: string, path: string[]): void => {
    if (path.includes(node)) found.push([...path.slice(path.indexOf(node)), node].join(' -> '));
    else if (!done.has(node)) for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

describe('the rooms of docs/rooms.json', () => {
  test('contain every source file, each in exactly one room', () => {
    expect(files.size).toBeGreaterThan(400);
    expect([...files.keys()].filter((file) => roomsOf(file).length !== 1)).toEqual([]);
    const patterns = rooms.flatMap((room) => room.files);
    expect(patterns.filter((pattern) => ![...files.keys()].some((file) => isIn(file, pattern)))).toEqual([]);
  });

  test('each have a purpose in one or two sentences', () => {
    expect(rooms.filter((room) => !/^[A-Z`].{20,220}\.$/.test(room.for)).map(({ room }) => room)).toEqual([]);
  });

  test('are imported only along the arrows of the table', () => {
    const allowed = new Map(rooms.map(({ room, imports }) => [room, imports]));
    expect(crossings.filter(({ from, to }) => !allowed.get(from)?.includes(to)).map(({ line }) => line)).toEqual([]);
  });

  test('have no arrow that no import uses', () => {
    const used = new Set(crossings.map(({ from, to }) => `${from} -> ${to}`));
    const drawn = rooms.flatMap(({ room, imports }) => imports.map((to) => `${room} -> ${to}`));
    expect(drawn.filter((arrow) => !used.has(arrow))).toEqual([]);
  });

  test('are in order: no room imports a room above it', () => {
    const order = rooms.map(({ room }) => room);
    const upwards = rooms.flatMap(({ room, imports }) =>
      imports.filter((to) => order.indexOf(to) <= order.indexOf(room)).map((to) => `${room} -> ${to}`),
    );
    expect(upwards).toEqual([]);
    expect(circles(new Map(rooms.map(({ room, imports }) => [room, imports])))).toEqual([]);
  });

  test('that run in Lambda, and those of production servers, import only shared rooms', () => {
    const reached = (name: string): string[] => rooms.find(({ room }) => room === name)?.imports ?? [];
    const deployed = rooms.filter(({ room }) => room === 'functions' || room.startsWith('shared'));
    expect(deployed.length).toBeGreaterThan(10);
    for (const { room, imports } of deployed) {
      expect([room, imports.filter((to) => !to.startsWith('shared'))]).toEqual([room, []]);
    }
    expect([...reached('serve'), ...reached('gateway')].filter((to) => !to.startsWith('shared'))).toEqual([]);
  });

  test('are drawn in docs/architecture.md', () => {
    const page = readPage();
    expect(withRooms(page, rooms), 'the picture is stale: run "npm run docs:rooms"').toBe(page);
  });
});

describe('files', () => {
  test('import each other in no circle, also not for types', () => {
    expect(circles(new Map([...files].map(([file, imports]) => [file, imports.files])))).toEqual([]);
  });

  test('have a computed import only in the places that this test lists', () => {
    const computing = [...files].filter(([, { computed }]) => computed.length > 0).map(([file]) => file);
    expect(computing.sort()).toEqual(Object.keys(COMPUTED).sort());
  });

  test('are found to import a file by any form of import', () => {
    const text = `import a from './a.ts'; import type { B } from './b.ts'; import { type C } from './c.ts';
      import './d.ts'; export * from './e.ts'; export { f } from './f.ts'; export type { G } from './g.ts';
      const h = await import('./h.ts'); let i: typeof import('./i.ts'); let j: import('./j.ts').J; import k from 'k';
      // import './comment.ts'
      const text = "import './text.ts'"; await import(\`./\${text}\`);`;
    const { files: seen, packages, computed } = readSource('x/y.ts', text);
    expect(seen.sort()).toEqual([...'abcdefghij'].map((name) => `x/${name}.ts`));
    expect([packages, computed.length]).toEqual([['k'], 1]);
    const typed = "/** @import { A } from './a.ts' */ /** @param {import('./b.ts').B} b */ export const f = (b) => b;";
    expect(readSource('x/y.mjs', typed).files).toEqual(['x/a.ts', 'x/b.ts']);
  });
});
