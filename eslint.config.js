import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Where time and chance may be used directly: the clocks themselves, and programs that are not part of the product. */
const clockFiles = ['server/src/clock.ts', 'sdk/src/clock.ts', 'bench/**', 'examples/**', 'test/**'];

/** Files that print to the terminal because that is what they are for. */
const consoleFiles = ['cli/**', 'bench/**', 'examples/**', '**/*.mjs'];

/** What plain scripts use of Node without importing it. */
const nodeGlobals = [
  ...['console', 'process', 'Buffer', 'URL', 'AbortController', 'AbortSignal', 'performance', 'module'],
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate'],
];

const injectClock = 'Inject a Clock.';

/** Time is a dependency: a test that cannot turn the clock has to sleep. */
const clockBan = {
  'no-restricted-globals': [
    'error',
    ...['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'].map((name) => ({
      name,
      message: injectClock,
    })),
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: injectClock },
    { object: 'performance', property: 'now', message: injectClock },
    { object: 'process', property: 'hrtime', message: injectClock },
    { object: 'globalThis', property: 'setTimeout', message: injectClock },
    { object: 'globalThis', property: 'setInterval', message: injectClock },
    { object: 'Math', property: 'random', message: 'Inject a source of chance, so that a run can be repeated.' },
  ],
  'no-restricted-syntax': [
    'error',
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: injectClock },
    { selector: 'CallExpression[callee.name="Date"]', message: injectClock },
  ],
  'no-restricted-imports': [
    'error',
    {
      patterns: [
        { regex: '^(node:)?timers(/|$)', message: injectClock },
        { regex: '^(node:)?perf_hooks$', importNames: ['performance'], message: injectClock },
      ],
    },
  ],
};

/** A file shows one idea and a function fits on a screen. */
const size = {
  'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
  'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
  'max-params': ['error', { max: 4 }],
  // A switch counts once: a table over all commands is long, not complex.
  complexity: ['error', { max: 12, variant: 'modified' }],
};

export default defineConfig([
  globalIgnores(['**/dist/', 'proto/gen/', 'coverage/', 'test/.cache/', 'bench/.cache/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' } },

  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['vitest.config.ts'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      ...clockBan,
      ...size,
      eqeqeq: 'error',
      'no-console': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // `isolatedDeclarations` wants the type beside the name of a field, not beside `new`.
      '@typescript-eslint/consistent-generic-constructors': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      // Where a body is one call, whether that returns something is nobody's business.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `isolatedDeclarations` wants some of them; a class that writes all of them reads better.
      '@typescript-eslint/no-inferrable-types': ['error', { ignoreProperties: true }],
      // A destructured rest sheds the members named beside it.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
      // Tokens and revisions are bigints and belong in messages.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },

  // A suite is one long function of many small ones, and a test says what it means by the shape it expects.
  {
    files: ['test/**/*.ts', 'vitest.config.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },

  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])) },
    rules: {
      ...size,
      eqeqeq: 'error',
      'no-undef': 'error',
      'no-unused-vars': 'error',
      'prefer-const': 'error',
      'no-var': 'error',
    },
  },

  {
    files: clockFiles,
    rules: Object.fromEntries(Object.keys(clockBan).map((rule) => [rule, 'off'])),
  },
  { files: consoleFiles, rules: { 'no-console': 'off' } },
]);
