import type { TestServer } from '@wb/test-servers';

/** Where a server keeps its data, for the head of a report: a commit to memory is not one to a disk. */
export function storageTitle(storage: TestServer['storage']): string {
  return storage === 'unknown' ? 'storage not known' : `data on ${storage === 'disk' ? 'a disk' : 'tmpfs'}`;
}
