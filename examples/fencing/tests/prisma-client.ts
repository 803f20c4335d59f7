import { getPrismaClient, type GetPrismaClientConfig } from '@prisma/client/runtime/client';
import type { PrismaDatabase, PrismaTransaction } from '../src/prisma.js';

type Provider = 'postgresql' | 'mysql' | 'sqlite';

interface Executes {
  $executeRawUnsafe(query: string): PromiseLike<number>;
}

/** A client without models: what is used here of any. */
export interface PrismaClient extends PrismaDatabase<PrismaTransaction & Executes> {
  $disconnect(): Promise<void>;
}

/**
 * Does what `prisma generate` writes into a file, for a schema without models: that command downloads a program, which no run of these tests may depend on. The client itself, and its adapters, are Prisma's.
 */
export async function prismaClient(provider: Provider, adapter: unknown): Promise<PrismaClient> {
  const compiler = (await import(`@prisma/client/runtime/query_compiler_small_bg.${provider}.mjs`)) as Awaited<
    ReturnType<NonNullable<GetPrismaClientConfig['compilerWasm']>['getRuntime']>
  >;
  const { wasm } = (await import(`@prisma/client/runtime/query_compiler_small_bg.${provider}.wasm-base64.mjs`)) as {
    readonly wasm: string;
  };
  // The types of Node do not name it.
  const { Module } = Reflect.get(globalThis, 'WebAssembly') as { readonly Module: new (bytes: Uint8Array) => object };
  const Client = getPrismaClient({
    activeProvider: provider,
    clientVersion: 'tests',
    engineVersion: 'tests',
    previewFeatures: [],
    inlineSchema: `generator client {\n  provider = "prisma-client"\n}\ndatasource db {\n  provider = "${provider}"\n}\n`,
    runtimeDataModel: { models: {}, enums: {}, types: {} },
    parameterizationSchema: { strings: [], graph: 'AAAA' },
    compilerWasm: {
      getRuntime: () => Promise.resolve(compiler),
      getQueryCompilerWasmModule: () => Promise.resolve(new Module(Buffer.from(wasm, 'base64'))),
      importName: './query_compiler_small_bg.js',
    },
  } satisfies GetPrismaClientConfig);
  return new Client({ adapter } as never);
}
