import { WbOptionError } from '@wb/core';
import {
  OperationNodeTransformer,
  TableNode,
  type KyselyPlugin,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryId,
  type QueryResult,
  type RootOperationNode,
  type UnknownRow,
} from 'kysely';
import { TABLE_NAMES } from './tables.js';

/** What the tables' names begin with, unless an option says otherwise. */
export const DEFAULT_NAMESPACE = 'wb_';

/** The longest namespace, in characters: with it every table and index name fits the databases that allow 63. */
export const MAX_NAMESPACE_LENGTH = 32;

/**
 * Checks a namespace: it becomes part of identifiers. Lower case, because databases differ in what they make of upper case.
 * @throws {@link WbOptionError} `INVALID_OPTION`
 */
export function assertNamespace(field: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && value.length <= MAX_NAMESPACE_LENGTH && /^[a-z][a-z0-9_]*$/.test(value)) return;
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value;
  throw new WbOptionError(
    'INVALID_OPTION',
    field,
    `\`${field}\` (${shown}) must be 1 to ${MAX_NAMESPACE_LENGTH} characters: a letter a–z first, then a–z, 0–9 and _`,
  );
}

/** A kysely plugin that puts the namespace in front of the SDK's tables, and leaves every alias and other name alone. */
export class NamespacePlugin implements KyselyPlugin {
  readonly #transformer: NamespaceTransformer;

  /** @param namespace Checked already: see {@link assertNamespace}. */
  constructor(namespace: string) {
    this.#transformer = new NamespaceTransformer(namespace);
  }

  transformQuery(args: PluginTransformQueryArgs): RootOperationNode {
    return this.#transformer.transformNode(args.node, args.queryId);
  }

  transformResult(args: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return Promise.resolve(args.result);
  }
}

class NamespaceTransformer extends OperationNodeTransformer {
  readonly #names: ReadonlyMap<string, string>;

  constructor(namespace: string) {
    super();
    this.#names = new Map(TABLE_NAMES.map((name) => [name, namespace + name]));
  }

  protected override transformTable(node: TableNode, queryId?: QueryId): TableNode {
    const name = this.#names.get(node.table.identifier.name);
    return name === undefined ? super.transformTable(node, queryId) : TableNode.create(name);
  }
}
