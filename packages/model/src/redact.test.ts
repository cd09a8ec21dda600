import { describe, expect, it } from 'vitest';
import { createRedactor, PATTERN_LIMIT, REDACTED, type Redactor } from './redact.ts';

const redact = createRedactor({ enabled: true, names: [], patterns: [] });

/** Words of a line that spaces part; `·` stands for a space within a word. */
const words = (line: string): string[] => line.split(' ').map((word) => word.replaceAll('·', ' '));

describe('what is a secret', () => {
  // `<…>` marks what is replaced.
  it.each([
    // Options with a value
    'app --password=<s3cret>',
    'app --password=<two·words·x=1>',
    'app --password <s3cret>',
    'app -password <s3cret>',
    'app --PassWord <s3cret> --port 3',
    'app --pass <s3cret>',
    'app --passwd=<s3cret>',
    'app --pwd <s3cret>',
    'app --pw=<s3cret>',
    'app --secret <s3cret>',
    'app --token=<s3cret>',
    'app --token </etc/looks/like/a/path>',
    'app --password=</etc/looks/like/a/path.pem>',
    'app --api-key <s3cret>',
    'app --apikey=<s3cret>',
    'app --api_key <s3cret>',
    'app --access-key=<s3cret>',
    'app --secret-key <s3cret>',
    'app --secret-access-key <s3cret>',
    'app --secret-key=</wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY>',
    'app --private-key <bWFkZS11cA==>',
    'app --auth-token <s3cret>',
    'app --bearer <s3cret>',
    'app --client-secret=<s3cret>',
    'app --credentials <user:s3cret>',
    'app --passphrase <s3cret>',
    'app --pin <4711>',
    'app --db-password=<s3cret>',
    'app --gitlab-token <s3cret>',
    'app --dbPassword <s3cret>',
    'app --cookie=<sid=4711;·x=2>',
    'java -Djavax.net.ssl.keyStorePassword=<s3cret>',
    // Variables and pairs
    'env MYSQL_PWD=<s3cret> mysqldump',
    'env AWS_SECRET_ACCESS_KEY=<s3·cret> cmd',
    'PGPASSWORD=<s3cret>',
    'docker run -e POSTGRES_PASSWORD=<s3cret> -p 80:80',
    'docker run --env=DB_PASSWORD=<s3·cret>',
    'app Server=x;Password=<s3cret>;',
    'app Server=x;Password=<s3·cret>;Database=y',
    'app Password=<s3cret>;Server=x',
    'app host=a·password=<s3cret>·dbname=c',
    'app jdbc:mysql://h/db?user=a&password=<s3cret>&useSSL=1',
    'mount -o username=a,password=<s3cret>,rw',
    'npm //packages.example.org/:_authToken=<s3cret>',
    'app user[password]=<s3cret>',
    'curl -d {"user":"a","password":"<s3\\"cret>","n":1}',
    "app {'token'·:·'<s3cret>'}",
    'app {\\"password\\":\\"<s3cret>\\",\\"n\\":1}',
    'app /password:<s3cret> /port:3',
    // URLs
    'psql postgres://bob:<s3cret>@h/db',
    'psql postgres://bob:<s3/cr?et>@h/db',
    'app redis://:<s3cret>@h:6379',
    'app amqp://bob:<s3@cret>@h:5672/v',
    'git clone https://<ghp_abcdefghijklmnopqrstuvwxyz0123456789>@github.com/a/b',
    'git clone https://<a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0>@git.example/a',
    'git clone https://oauth2:<s3cret>@gitlab.example/a',
    'git clone https://<a1b2c3d4e5f6a7b8c9d0a1b2c3>:<x-oauth-basic>@h/a',
    'curl https://h/?token=<s3cret>&page=2',
    'curl https://h/?a=1&access_token=<s3cret>#top',
    'curl https://h/?api_key=<s3cret>',
    'curl https://h/?sv=1&sig=<s3%2Fcret>&se=2',
    'curl https://h/?X-Amz-Expires=9&X-Amz-Signature=<s3cret>',
    // Headers
    'curl -H Authorization:·Bearer·<s3cret>',
    'curl -H authorization:·Basic·<czNjcmV0>',
    'curl -H Authorization:·<s3cret>',
    'curl --header=X-Api-Key:·<s3cret>',
    'curl -H Cookie:·<a=b;·c=d>',
    'curl -H Proxy-Authorization:·Basic·<czNjcmV0>',
    'curl -H PRIVATE-TOKEN:<s3cret>',
    'curl -H x-amz-security-token:·<s3cret>',
    // Programs
    'mysql -p<s3cret> -P 3306',
    '/usr/bin/mysqldump -uroot -p<s3cret>',
    'mariadb -p<s3cret>',
    'sudo -u root mysql -p<s3cret>',
    'timeout 5 nice -n 3 busybox env A=1 mysqladmin -p<s3cret>',
    'docker exec db mysql -p<s3cret>',
    'sshpass -p <s3cret> ssh -p 22 h',
    'sshpass -p<s3cret> scp -p a h:',
    'curl -u bob:<s3cret> https://h:1/',
    'curl -ubob:<s3cret> h',
    'curl -fsSLu bob:<s3cret> h',
    'curl --user=bob:<s3cret> h',
    'curl --proxy-user bob:<s3cret> h',
    'curl -b <sid=1> h',
    'wget --http-password=<s3cret>',
    'smbclient -U bob%<s3cret> //h/s',
    'redis-cli -h h -a <s3cret> ping',
    'openssl enc -pass pass:<s3cret>',
    'openssl pkcs12 -passin pass:<s3cret> -passout pass:<s3cret>',
    'ldapsearch -D cn=a -w <s3cret>',
    'ldapsearch -w<s3cret>',
    'docker login -u bob -p <s3cret> r.example',
    'mongosh -u bob -p <s3cret>',
    'net use Z: \\\\h\\s <s3cret> /user:bob',
    'net.exe user bob <s3cret> /add',
    'plink -pw <s3cret> bob@h',
    '7z x -p<s3cret> a.7z',
    'expect -c spawn·ssh·h;·expect·word;·send·"<s3cret\\r>"',
    // Shapes
    'app <ghp_abcdefghijklmnopqrstuvwxyz0123456789>',
    'app x,<github_pat_11ABCDEFG0abcdefghij_klmnop>,y',
    'app <glpat-abcdefghijklmnopqrst>',
    'app <xoxb-123456789012-abcdefghijkl>',
    'app <sk_live_abcdefghijklmnopqrstuvwx>',
    `app <AIza${'a1B2-'.repeat(7)}>`,
    'app <eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJl-_x>',
    'app -----BEGIN·RSA·PRIVATE·KEY-----<\nMIIE\n>-----END·RSA·PRIVATE·KEY-----',
    'app -----BEGIN·PRIVATE·KEY-----<\nMIIE>',
    // Lines within an argument
    'sh -c mysql·-p<s3cret>·-h·h;·echo',
    'sh -c DB_PASSWORD=<s3cret>·./run·--port·3',
    'bash -lc run·--password·<s3cret>·--port·3',
    'bash -c run·--password·"<two·words>"·--port·3',
    "ssh h sh·-c·'mysql·-p<s3cret>·db'",
    'sh -c curl·-H·"Authorization:·Bearer·<s3cret>"·http://h',
    "sh -c don't·run·--token·<s3cret>·now",
    'cmd.exe /c deploy·--token=<s3cret>·--env·prod',
    'sh -c (mysql·-p<s3cret)>',
  ])('%s', (line) => {
    const marked = words(line);
    const inside = /<([^<>]+)>/g;
    const given = marked.map((word) => word.replace(inside, '$1'));
    const expected = marked.map((word) => word.replace(inside, REDACTED));
    const { argv, redacted } = redact(given);
    expect(argv).toEqual(expected);
    expect(redacted).toBe(line.match(inside)?.length);
  });
});

describe('what is no secret', () => {
  it.each([
    'app --password-file f',
    'app --password-file=/run/secrets/password',
    'app --token-url https://h/token',
    'app --no-password next',
    'app --password-stdin next',
    'app --ask-password next',
    'app --with-token next',
    'app --tokenizer fast',
    'app --max-tokens 100',
    'app --pass-through yes',
    'app --passive --compass=north --bypass x',
    'app --keyboard us --key-file=x --sort-key=name --public-key=abc',
    'app --private-key /etc/ssl/key.pem',
    'app --private-key=~/.ssh/id_ed25519',
    'app --api-key ./key.txt',
    'app --secret-key=/run/keys/app',
    'app --password --verbose',
    'app --password=',
    'app --password',
    'app --token= next',
    'app --secret-id 5 --author=me --authentication=none',
    'env PWD=/home/bob OLDPWD=/ SSH_AUTH_SOCK=/tmp/a XAUTHORITY=/home/bob/.Xauthority',
    'env GOOGLE_APPLICATION_CREDENTIALS=/srv/account.json',
    'env AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE PASSWORD_FILE=/run/x',
    'app AKIAIOSFODNN7EXAMPLE ASIAIOSFODNN7EXAMPLE',
    'app http://h:8080/a@b?page=1&sig_version=2 ssh://git@github.com/a.git',
    'npm install https://registry.example/@scope/package',
    'app sig=4711 signature=ab',
    'docker run -p 80:80 -v token:/token -v /run/token:/x',
    'mysql -p -P 3306 --protocol=tcp --port=1',
    'ssh -p 22 -o PasswordAuthentication=no -o PreferredAuthentications=password h',
    'curl -u bob https://h:1/ -o out',
    'curl -so http://h/x',
    'curl -H Accept:·text/html -b cookies.txt',
    'openssl x509 -passin file:/etc/pw -passout env:PW -pass stdin',
    'docker login --password-stdin -u bob',
    'net use Z: \\\\h\\s * /user:bob',
    'grep -p password /etc/services',
    'ffmpeg -i a -pass 2 --two-pass b',
    'sshd:·bob@pts/0',
    'postgres:·checkpointer·',
    '/usr/lib/systemd/systemd-tty-ask-password-agent --watch',
    'app eyJhbGciOiJIUzI1NiJ9 ghp_short -----BEGIN·CERTIFICATE-----\nMIIE\n-----END·CERTIFICATE-----',
    'app std::token::x a/token:b token://x constructor __proto__ toString=1',
    'sh -c while·true;·do·sleep·1;·done',
    '',
  ])('%s', (line) => {
    const given = words(line);
    const { argv, redacted } = redact(given);
    expect(argv).toEqual(given);
    expect(argv).toBe(given);
    expect(redacted).toBe(0);
  });
});

describe('createRedactor', () => {
  const patternsOf = (...patterns: string[]): Redactor => createRedactor({ enabled: true, names: [], patterns });

  it('does nothing where it is not enabled', () => {
    const given = ['app', '--password=x'];
    expect(createRedactor({ enabled: false, names: ['x'], patterns: ['.'] })(given)).toEqual({ argv: given, redacted: 0 });
  });

  it('knows names that are given, with words before them, however they are written', () => {
    const own = createRedactor({ enabled: true, names: ['License-Key', 'no.pass', 'x'], patterns: [] });
    const given = ['app', '--license_key', '1', 'ACME_LICENSE_KEY=2', '--licenseKey=3', '--no-pass=4', '-x', '5', '--license-keys=6'];
    expect(own(given).argv).toEqual([
      'app',
      '--license_key',
      REDACTED,
      `ACME_LICENSE_KEY=${REDACTED}`,
      `--licenseKey=${REDACTED}`,
      `--no-pass=${REDACTED}`,
      '-x',
      REDACTED,
      '--license-keys=6',
    ]);
  });

  it('replaces what a pattern matches, or its first group', () => {
    expect(patternsOf('acme-[0-9]+')(['app', 'a acme-1 b acme-22']).argv).toEqual(['app', `a ${REDACTED} b ${REDACTED}`]);
    expect(patternsOf('id=([0-9]+)!')(['id=1! id=2', 'id=3!']).argv).toEqual([`id=${REDACTED}! id=2`, `id=${REDACTED}!`]);
    expect(patternsOf('x*', '(?:)')(['app', 'y']).redacted).toBe(0);
  });

  it('leaves its own mark alone, whatever a pattern matches', () => {
    for (const pattern of ['.', '[a-z]+', 'red', 'acted\\].*', '.*\\[', '\\[.*\\]']) {
      const own = patternsOf(pattern);
      const once = own(['ab cd', `x${REDACTED}y`]).argv;
      const twice = own(once);
      expect(twice.argv).toBe(once);
      expect(twice.redacted).toBe(0);
    }
    expect(patternsOf('red')(['a red b', REDACTED]).argv).toEqual([`a ${REDACTED} b`, REDACTED]);
  });

  it('applies patterns to the first characters of an argument only', () => {
    const fill = '-'.repeat(PATTERN_LIMIT - 4);
    const { argv, redacted } = patternsOf('acme')([`${fill}acme`, `${fill}-acme`]);
    expect(argv).toEqual([`${fill}${REDACTED}`, `${fill}-acme`]);
    expect(redacted).toBe(1);
  });

  it('refuses a pattern that is none', () => {
    expect(() => patternsOf('(')).toThrow(SyntaxError);
  });

  it('counts every secret once, and not those that were taken out before', () => {
    expect(redact(['app', '--password=a', '--token', 'b', 'https://u:c@h/?token=d']).redacted).toBe(4);
    expect(redact(['app', `--password=${REDACTED}`, '--token', 'b']).redacted).toBe(1);
    expect(redact(['app', `--password=${REDACTED}x`]).argv).toEqual(['app', `--password=${REDACTED}`]);
  });

  it('does not forget what it knows for many other names', () => {
    redact(Array.from({ length: 10_000 }, (_, i) => `NAME_${i}_TOKEN=x`));
    expect(redact(['app', '--password=x', '--port=1']).argv).toEqual(['app', `--password=${REDACTED}`, '--port=1']);
  });
});
