import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

/** Relative to the root of the project, with slashes. */
type Path = string;

const root = join(import.meta.dirname, '../..');
const SOURCE = /\.(ts|mts|cts|js|mjs|cjs)$/;
/** What .gitignore names; folders that begin with a dot are left out, too. */
const GENERATED = ['node_modules', 'dist', 'coverage'];

export const textOf = (file: Path): string => readFileSync(join(root, file), 'utf8');

/** Every source file of the project, in the folder or anywhere. */
export function sourceFiles(folder: Path = ''): Path[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return entry.name.startsWith('.') || GENERATED.includes(entry.name) ? [] : sourceFiles(path);
    return SOURCE.test(entry.name) ? [path] : [];
  });
}

export interface Imports {
  /** Files of the project. */
  files: Path[];
  packages: string[];
  /** Of dynamic imports whose file only the running program knows: their text. */
  computed: string[];
}

/** Whatever a file imports: static, dynamic, types alone, exports from, `import('...')` as a type, and those of JSDoc. */
export function importsOf(file: Path, text: string = textOf(file)): Imports {
  const { program, module, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const names = module.staticImports.map(({ moduleRequest }) => moduleRequest.value);
  const computed: string[] = [];
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest } of entries) if (moduleRequest) names.push(moduleRequest.value);
  }
  new Visitor({
    ImportExpression({ source, start, end }) {
      if (source.type === 'Literal') names.push(String(source.value));
      else computed.push(text.slice(start, end));
    },
    TSImportType({ source }) {
      names.push(source.value);
    },
  }).visit(program);
  if (/\.[mc]?js$/.test(file)) {
    const ofComments = comments.flatMap(({ value }) => [
      ...value.matchAll(/import\('([^']+)'\)|@import .* from '([^']+)'/g),
    ]);
    names.push(...ofComments.map(([, type, fixed]) => type ?? fixed ?? ''));
  }
  const isFile = (name: string) => name.startsWith('.');
  return {
    files: [...new Set(names.filter(isFile).map((name) => join(dirname(file), name)))],
    packages: [...new Set(names.filter((name) => !isFile(name)))],
    computed,
  };
}
