import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseProto } from '../../../../../shared/model/formats/protobuf/parse-proto.ts';
import { withinCpuSeconds } from '../../../within-cpu-seconds.ts';

const proto3 = (body: string): string => `syntax = "proto3"; package a.b; ${body}`;

test('parseProto() lists messages in the order of the file, nested ones and groups in theirs', () => {
  const { messages } = parseProto(
    `syntax = "proto2"; package a.b; enum E { Z = 0; } message One { message In { } enum N { Y = 0; } message Out { } map<string, In> m = 1; }
     message Two { repeated group Part = 1 { } message After { } }`,
    [],
  );
  const names = (list: typeof messages): unknown[] => list.map(({ plan, nested }) => [plan.name, names(nested)]);
  assert.deepEqual(names(messages), [
    [
      'a.b.One',
      [
        ['a.b.One.In', []],
        ['a.b.One.Out', []],
      ],
    ],
    [
      'a.b.Two',
      [
        ['a.b.Two.Part', []],
        ['a.b.Two.After', []],
      ],
    ],
  ]);
});

test('parseProto() takes types from references and from what they import, with or without a package', () => {
  const references = [
    { name: 'leaf.proto', text: 'syntax = "proto3"; message Leaf { int32 n = 1; }' },
    {
      name: 'dir/middle.proto',
      text: 'syntax = "proto3"; package m; import "leaf.proto"; message Middle { Leaf leaf = 1; }',
    },
  ];
  const { messages, byName } = parseProto(
    proto3('import "dir/middle.proto"; message Top { m.Middle middle = 1; }'),
    references,
  );
  assert.equal(messages.length, 1);
  assert.ok(byName('m.Middle'));
  assert.ok(byName('.Leaf'));
  assert.equal(byName('m.Nobody'), undefined);
});

test('parseProto() takes custom options, imported or its own, and imports that nobody has, for what they are', () => {
  const text = proto3(`import "google/protobuf/descriptor.proto"; import "buf/validate/validate.proto";
    extend google.protobuf.FieldOptions { string doc = 50001; }
    message M { string s = 1 [(doc) = "x", (buf.validate.field).string.min_len = 1]; }
    service S { rpc Do (M) returns (M); }`);
  assert.equal(parseProto(text, []).messages[0]?.plan.fields[0]?.name, 's');
});

for (const [what, text, message] of [
  ['what is no .proto text', '{"type":"record"}', /illegal/],
  ['a type that is nowhere', proto3('message M { Missing m = 1; }'), /Missing/],
  ['a field number twice', proto3('message M { int32 a = 1; int32 b = 1; }'), /duplicate id/],
  ['a message twice', proto3('message M { } message M { }'), /duplicate name/],
] as const) {
  test(`parseProto() refuses ${what}`, () => {
    assert.throws(() => parseProto(text, []), message);
  });
}

test('parseProto() names the import that is at fault', () => {
  const references = [{ name: 'bad.proto', text: 'nonsense' }];
  assert.throws(() => parseProto(proto3('import "bad.proto"; message M { }'), references), /Import bad\.proto/);
});

test('parseProto() fails by an error, in bounded time, whatever the text', () => {
  withinCpuSeconds(30, () => {
    assert.throws(() => parseProto(proto3(`${'message M {'.repeat(50_000)}${'}'.repeat(50_000)}`), []), Error);
    const imports = Array.from({ length: 300 }, (_, at) => ({
      name: `${at}.proto`,
      text: `syntax = "proto3"; import "${at + 1}.proto";`,
    }));
    assert.throws(() => parseProto(proto3('import "0.proto"; message M { }'), imports), /more than 200/);
    const wide = Array.from({ length: 5_001 }, (_, at) => `int64 f${at} = ${at + 1};`).join('');
    assert.throws(() => parseProto(proto3(`message M { ${wide} }`), []), /5002 fields and options/);
    const real = proto3(
      'message M { map<string, int32> m = 1; oneof o { string s = 2; M n = 3; } enum E { Z = 0; } repeated E es = 4; }',
    );
    fc.assert(
      fc.property(fc.nat({ max: real.length }), fc.string({ maxLength: 6 }), (at, noise) => {
        try {
          parseProto(real.slice(0, at) + noise + real.slice(at + 1), []);
        } catch (error) {
          assert.ok(error instanceof Error && error.message.length > 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('parseProto() and the reading generate no code', () => {
  const module = (name: string): string =>
    resolve(import.meta.dirname, `../../../../../shared/model/formats/protobuf/${name}.ts`);
  const script = `
    import { parseProto } from ${JSON.stringify(module('parse-proto'))};
    import { readProtobuf } from ${JSON.stringify(module('read-protobuf'))};
    const { messages } = parseProto('syntax = "proto3"; message M { map<string, M> m = 1; int64 n = 2; }', []);
    console.log(JSON.stringify(readProtobuf(messages[0].plan, Buffer.from([16, 5]))));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--disallow-code-generation-from-strings', '--input-type=module-typescript', '-e', script],
    { encoding: 'utf8' },
  );
  assert.equal(stdout, '{"m":{},"n":5}\n', stderr);
});
