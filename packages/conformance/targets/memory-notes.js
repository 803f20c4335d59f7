/** Where fenced transactions of the memory store leave notes: the values of its database. */
export const memoryNotes = (databaseOf) => ({
  prepare() {},
  write(transaction, _namespace, note) {
    transaction.set(note, true);
  },
  see(transaction, namespace) {
    return [...databaseOf(namespace).values.keys()];
  },
  read(namespace) {
    return [...databaseOf(namespace).values.keys()];
  },
});
