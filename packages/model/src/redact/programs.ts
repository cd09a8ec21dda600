/**
 * Programs whose short options or plain words are secrets: what only they mean by `-p` or `-u`.
 */

import { endingsOf, type Endings } from './spans.ts';

/**
 * What of a value is secret: all of it; what follows its first colon (`user:password`), its first per cent sign; a source
 * of openssl(1); all of it unless it begins with `/` or is `*` (Windows); all of it where it holds `=` (cookies, not files);
 * all of it but a digit (which pass an encoder makes).
 */
export type ValueForm = 'all' | 'after-colon' | 'after-percent' | 'source' | 'windows' | 'pair' | 'pass';

export type ProgramRule = {
  /** Words, options with their dashes, whose value is the next word. */
  readonly next?: Readonly<Record<string, ValueForm>>;
  /** Starts of a word that its value follows in the same word. */
  readonly glued?: Readonly<Record<string, ValueForm>>;
  /** The last letter of options written together (`-su`), whose value is the next word. */
  readonly bundled?: Readonly<Record<string, ValueForm>>;
  /** Words after which another rule holds. */
  readonly then?: Readonly<Record<string, ProgramRule>>;
  /** The word after the next plain one, or after a name of a share (`\\server\share`), is secret. */
  readonly after?: 'word' | 'share';
  /** What follows the first secret is another program. */
  readonly once?: boolean;
};

const NOTHING: ProgramRule = {};
const MYSQL: ProgramRule = { glued: { '-p': 'all' } };
const LDAP: ProgramRule = { next: { '-w': 'all' }, glued: { '-w': 'all' } };
const MONGO: ProgramRule = { next: { '-p': 'all' }, glued: { '-p': 'all' } };
const SAMBA: ProgramRule = {
  next: { '-U': 'after-percent', '--user': 'after-percent' },
  glued: { '-U': 'after-percent', '--user=': 'after-percent' },
};
const LOGIN: ProgramRule = { next: { '-p': 'all' }, glued: { '-p': 'all' } };
const REGISTRY: ProgramRule = { then: { login: LOGIN } };
const PUTTY: ProgramRule = { next: { '-pw': 'all' } };
const SNMP: ProgramRule = { next: { '-A': 'all', '-X': 'all', '-c': 'all' } };
const ARCHIVE: ProgramRule = { glued: { '-p': 'all', '-hp': 'all' } };
const NET: ProgramRule = { ...SAMBA, then: { use: { after: 'share' }, user: { after: 'word' } } };
const REMOTE_DESKTOP: ProgramRule = { next: { '-p': 'all' }, glued: { '/p:': 'all' } };
const SSHPASS: ProgramRule = { next: { '-p': 'all' }, glued: { '-p': 'all' }, once: true };
const CURL: ProgramRule = {
  next: { '-u': 'after-colon', '--user': 'after-colon', '-U': 'after-colon', '--proxy-user': 'after-colon', '-b': 'pair' },
  glued: { '-u': 'after-colon', '-U': 'after-colon', '--user=': 'after-colon', '--proxy-user=': 'after-colon' },
  bundled: { u: 'after-colon' },
};

const RULES: readonly (readonly [ProgramRule, string])[] = [
  [MYSQL, 'mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mysqlbinlog mysqlslap mysqlsh'],
  [MYSQL, 'mariadb mariadb-dump mariadb-admin mariadb-import mariadb-check mariadb-backup xtrabackup mysqld_safe'],
  [SSHPASS, 'sshpass'],
  [CURL, 'curl curlie'],
  [SAMBA, 'smbclient smbget smbcacls rpcclient winexe wmic smbmount'],
  [NET, 'net net1 net.exe net1.exe'],
  [{ next: { '-a': 'all', '--pass': 'all' } }, 'redis-cli redis-benchmark valkey-cli keydb-cli'],
  [{ next: { '-k': 'all', '-K': 'all', '-pass': 'source', '-passin': 'source', '-passout': 'source' } }, 'openssl'],
  [LDAP, 'ldapsearch ldapmodify ldapadd ldapdelete ldapwhoami ldapcompare ldapmodrdn ldapexop'],
  [{ next: { ...LDAP.next, '-s': 'all', '-a': 'all' }, glued: { '-w': 'all', '-s': 'all', '-a': 'all' } }, 'ldappasswd'],
  [REGISTRY, 'docker podman nerdctl buildah skopeo helm oras az oc'],
  [MONGO, 'mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop mongofiles'],
  [{ next: { send: 'all' } }, 'expect'],
  [PUTTY, 'plink plink.exe pscp pscp.exe psftp psftp.exe putty putty.exe'],
  [SNMP, 'snmpget snmpwalk snmpbulkwalk snmpbulkget snmpset snmptable'],
  [ARCHIVE, '7z 7za 7zr 7z.exe rar unrar rar.exe'],
  [{ next: { '-P': 'all' }, glued: { '-P': 'all' } }, 'zip unzip zipcloak'],
  [REMOTE_DESKTOP, 'xfreerdp xfreerdp3 wlfreerdp rdesktop psexec psexec.exe PsExec.exe'],
  [{ next: { '-p': 'all' }, glued: { '-p': 'all' } }, 'useradd usermod'],
  // Their -p is a port.
  [NOTHING, 'ssh scp sftp rsync autossh'],
];

/** Rules by the name of the program's file. */
export const PROGRAM_RULES: ReadonlyMap<string, ProgramRule> = new Map(
  RULES.flatMap(([rule, names]) => names.split(' ').map((name) => [name, rule] as const)),
);
export const PROGRAM_ENDINGS: Endings = endingsOf(PROGRAM_RULES.keys());
export const LONGEST_PROGRAM_NAME: number = Math.max(...[...PROGRAM_RULES.keys()].map(({ length }) => length));
