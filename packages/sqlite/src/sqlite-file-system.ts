/**
 * File systems that other machines can reach. SQLite's WAL mode shares memory between processes, which works on one machine only; and the locks of network
 * file systems are too often missing or wrong. Two machines would each grant the same lease.
 *
 * @module
 */

/** Type numbers by Linux' `statfs(2)`. FUSE is missing on purpose: it says nothing about what is behind it. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB 2'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x786f4256, 'VirtualBox shared folders'],
  [0xbacbacbc, 'VMware shared folders'],
]);

/** The name of the network file system with this `statfs` type; `null` for a local one, and for one that cannot be told. */
export function networkFileSystem(type: number): string | null {
  // Some platforms sign-extend the 32 bits.
  return NETWORK_FILE_SYSTEMS.get(type >>> 0) ?? null;
}
