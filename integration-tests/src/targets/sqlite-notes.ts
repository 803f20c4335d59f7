import type { FenceNotes } from '@wb/conformance';
import type { SqliteTransaction } from '@wb/sqlite';
import type Database from 'better-sqlite3';

interface Note {
  readonly note: string;
}

/** A table of notes beside the store's. `open` opens the file of a namespace. */
export function sqliteNotes(open: (namespace: string) => Database.Database): FenceNotes {
  const use = <T>(namespace: string, body: (database: Database.Database) => T): T => {
    const database = open(namespace);
    try {
      return body(database);
    } finally {
      database.close();
    }
  };
  return {
    isOneWriter: true,
    prepare: (namespace) => use(namespace, (database) => void database.exec(`create table ${namespace}note (note text not null)`)),
    write: (transaction, namespace, note) => {
      (transaction as SqliteTransaction).prepare(`insert into ${namespace}note (note) values (?)`).run(note);
    },
    see: (transaction, namespace) =>
      (transaction as SqliteTransaction)
        .prepare(`select note from ${namespace}note`)
        .all()
        .map((row) => (row as Note).note),
    read: (namespace) =>
      use(namespace, (database) =>
        database
          .prepare<[], Note>(`select note from ${namespace}note`)
          .all()
          .map(({ note }) => note),
      ),
  };
}
