import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync, type StaticImportEntry, Visitor } from 'oxc-parser';

/** Relative to the root of the project, with slashes. */
type Path = string;

const root = join(import.meta.dirname, '../..');
const SOURCE = /\.(ts|mts|cts|js|mjs|cjs)$/;
/** What .gitignore names; folders that begin with a dot are left out, too. */
const GENERATED = ['node_modules', 'dist', 'coverage'];

export const textOf = (file: Path): string => readFileSync(join(root, file), 'utf8');

/** Every source file of the folder, or of the whole project. */
export function sourceFiles(folder: Path = ''): Path[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return entry.name.startsWith('.') || GENERATED.includes(entry.name) ? [] : sourceFiles(path);
    return SOURCE.test(entry.name) ? [path] : [];
  });
}

interface Source {
  /** Files of the project that the file imports. */
  files: Path[];
  packages: string[];
  /** The text of each dynamic import whose file is computed when the program runs. */
  computed: string[];
  /** `<file or package>#<name>` of each imported name; the name is `*` if the whole module is imported. */
  names: string[];
  exports: string[];
}

/** What a file imports in any form (static, dynamic, only types, in JSDoc), and what it exports. */
export function readSource(file: Path, text: string = textOf(file)): Source {
  const { program, module, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const imported: Array<{ from: string; name?: string }> = [];
  const computed: string[] = [];
  for (const { moduleRequest, entries } of module.staticImports) {
    imported.push(
      { from: moduleRequest.value },
      ...entries.map((entry) => ({ from: moduleRequest.value, name: nameOf(entry) })),
    );
  }
  const exported = module.staticExports.flatMap(({ entries }) => entries);
  for (const { moduleRequest, importName } of exported) {
    if (moduleRequest) imported.push({ from: moduleRequest.value, name: importName.name ?? '*' });
  }
  new Visitor({
    ImportExpression({ source, start, end }) {
      if (source.type === 'Literal') imported.push({ from: String(source.value), name: '*' });
      else computed.push(text.slice(start, end));
    },
    TSImportType({ source, qualifier }) {
      imported.push({
        from: source.value,
        name: qualifier ? (/\w+/.exec(text.slice(qualifier.start)) ?? ['*'])[0] : '*',
      });
    },
  }).visit(program);
  if (/\.[mc]?js$/.test(file)) for (const { value } of comments) imported.push(...importsOfJsDoc(value));

  const targetOf = (from: string) => (from.startsWith('.') ? join(dirname(file), from) : from);
  const targets = (isFile: boolean) => [
    ...new Set(imported.filter(({ from }) => from.startsWith('.') === isFile).map(({ from }) => targetOf(from))),
  ];
  return {
    files: targets(true),
    packages: targets(false),
    computed,
    names: imported.flatMap(({ from, name }) => (name === undefined ? [] : `${targetOf(from)}#${name}`)),
    exports: exported.flatMap(({ exportName }) => exportName.name ?? (exportName.kind === 'Default' ? 'default' : [])),
  };
}

function nameOf({ importName }: StaticImportEntry): string {
  if (importName.kind === 'Default') return 'default';
  return importName.name ?? '*';
}

function importsOfJsDoc(comment: string): Array<{ from: string; name: string }> {
  const inline = [...comment.matchAll(/\bimport\('([^']+)'\)\.(\w+)/g)].map(([, from = '', name = '']) => ({
    from,
    name,
  }));
  const tags = [...comment.matchAll(/@import \{([^}]*)\} from '([^']+)'/g)].flatMap(([, names = '', from = '']) =>
    names.split(',').map((name) => ({ from, name: name.trim() })),
  );
  return [...inline, ...tags];
}
