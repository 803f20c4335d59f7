import { describe, expect, it } from 'vitest';
import { networkFileSystem } from './sqlite-file-system.js';

describe('networkFileSystem', () => {
  // The numbers of `statfs(2)`, written down a second time.
  it.each([
    [0x6969, 'NFS'],
    [0x517b, 'SMB'],
    [0xff534d42, 'CIFS'],
    [0xfe534d42, 'SMB 2'],
    [0x01021997, '9P'],
    [0x00c36400, 'Ceph'],
    [0x01161970, 'GFS2'],
    [0x0bd00bd0, 'Lustre'],
  ])('knows 0x%s as %s', (type, name) => {
    expect(networkFileSystem(type)).toBe(name);
  });

  it.each([0xff534d42, 0xfe534d42, 0xbacbacbc])('knows 0x%s also where the platform extends its sign', (type) => {
    expect(networkFileSystem(type | 0)).toBe(networkFileSystem(type));
    expect(networkFileSystem(type | 0)).not.toBeNull();
  });

  it.each([
    ['ext4', 0xef53],
    ['XFS', 0x58465342],
    ['Btrfs', 0x9123683e],
    ['tmpfs', 0x01021994],
    ['overlayfs', 0x794c7630],
    ['ZFS', 0x2fc12fc1],
    ['APFS, as macOS says it', 0x1a],
    ['what Windows says', 0],
  ])('takes %s for local', (_name, type) => {
    expect(networkFileSystem(type)).toBeNull();
  });
});
