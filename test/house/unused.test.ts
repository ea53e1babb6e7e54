import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSource, sourceFiles, textOf } from '../support/source-files.ts';

/** The project contains nothing unused. What a test imports counts as used. */
const sources = new Map(sourceFiles().map((file) => [file, readSource(file)]));
const names = new Set([...sources.values()].flatMap((source) => source.names));
const imported = new Set([...sources.values()].flatMap((source) => source.files));

/** Files whose exports are imported by a tool, by Lambda or by a reader outside of this project. */
const OUTWARD =
  /^(functions\/[^/]+\.ts|functions\/[^/]+\/index\.ts|client\/(miniapp-client|plugin-server)\.ts|vitest\.config\.ts|build\/serverless-plugin\.mjs|test\/support\/fixtures\/.*)$/;
const isSetup = (file: string) => textOf('vitest.config.ts').includes(`'${file}'`);
const isRead = (file: string) => OUTWARD.test(file) || /\.test\.ts$|^docs\/signing\//.test(file);

const project = JSON.parse(textOf('package.json'));
const bench = JSON.parse(textOf('bench/package.json'));
const packageOf = (specifier: string): string => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
const packagesOf = (isMeant: (file: string) => boolean): Set<string> =>
  new Set([...sources].flatMap(([file, { packages }]) => (isMeant(file) ? packages.map(packageOf) : [])));

describe('no file of the project', () => {
  test('exports a name that no file imports', () => {
    const unused = [...sources].flatMap(([file, { exports }]) =>
      OUTWARD.test(file) || isSetup(file) || names.has(`${file}#*`)
        ? []
        : exports.filter((name) => !names.has(`${file}#${name}`)).map((name) => `${file}: ${name}`),
    );
    expect(unused).toEqual([]);
  });

  test('is unused: each is imported, started or read', () => {
    const configuration = `${textOf('package.json')}\n${textOf('vitest.config.ts')}`;
    const isStarted = (file: string) =>
      configuration.includes(file) ||
      [...sources.keys()].some((other) => other !== file && textOf(other).includes(basename(file)));
    const loose = [...sources.keys()].filter((file) => !isRead(file) && !file.endsWith('.d.ts') && !imported.has(file));
    expect(loose.filter((file) => !isStarted(file))).toEqual([]);
  });

  test('imports a package that package.json does not name', () => {
    const { dependencies, devDependencies } = project;
    const known = Object.keys({ ...dependencies, ...devDependencies }).map((name) => name.replace(/^@types\//, ''));
    const ofProject = packagesOf((file) => !file.startsWith('bench/'));
    const unknown = [...ofProject].filter((name) => !name.startsWith('node:') && !known.includes(name));
    expect(unknown).toEqual([]);
    const ofBench = [...packagesOf((file) => file.startsWith('bench/'))].filter((name) => !name.startsWith('node:'));
    expect(ofBench.filter((name) => !known.includes(name) && !bench.dependencies[name])).toEqual([]);
  });
});

describe('dependencies', () => {
  test('of package.json are each imported by a file or run by a script', () => {
    const used = packagesOf(() => true);
    const text = `${Object.values(project.scripts).join('\n')}\n${textOf('serverless.yml')}`;
    const commands = (name: string) => {
      const { bin } = JSON.parse(textOf(`node_modules/${name}/package.json`));
      return typeof bin === 'string' ? [name] : Object.keys(bin ?? {});
    };
    const isUsed = (name: string): boolean =>
      used.has(name) ||
      (name.startsWith('@types/') && (used.has(name.slice(7)) || name === '@types/node')) ||
      [name, ...commands(name)].some((word) => new RegExp(`(^|[^\\w@/-])${word}($|[^\\w/-])`, 'm').test(text));
    expect(
      Object.keys({ ...project.dependencies, ...project.devDependencies }).filter((name) => !isUsed(name)),
    ).toEqual([]);
  });

  test('of the benches are each imported by a bench', () => {
    const used = packagesOf((file) => file.startsWith('bench/'));
    expect(Object.keys(bench.dependencies).filter((name) => !used.has(name))).toEqual([]);
  });
});
