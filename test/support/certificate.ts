import { createSign, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';

/** A certificate with its private key, as PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

/** An authority of a test's own, and the certificates it gives out. */
export interface Authority {
  /** PEM of the authority's own certificate. */
  ca: string;
  certificateFor(host: { name: string; ip?: string }): Certificate;
}

/** DER: a tag, the length, the content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

const sequence = (...content: Buffer[]): Buffer => der(0x30, ...content);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const time = (year: number): Buffer => der(0x18, Buffer.from(`${String(year)}0101000000Z`));
const bits = (content: Buffer): Buffer => der(0x03, Buffer.from([0]), content);
const named = (name: string): Buffer => sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(name)))));

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const BASIC_CONSTRAINTS = '551d13';
const ALTERNATIVE_NAMES = '551d11';

interface Signed {
  subject: string;
  publicKey: KeyObject;
  issuer: string;
  issuerKey: KeyObject;
  extension: Buffer;
}

function sign({ subject, publicKey, issuer, issuerKey, extension }: Signed): string {
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_SHA256,
    named(issuer),
    sequence(time(2020), time(2120)),
    named(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
  const certificate = sequence(content, ECDSA_SHA256, bits(createSign('sha256').update(content).sign(issuerKey)));
  return `-----BEGIN CERTIFICATE-----\n${certificate
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Makes an authority: nothing that is kept in a repository, nothing that runs out. */
export function makeAuthority(): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const issuer = 'keylift test authority';
  const constraints = sequence(
    oid(BASIC_CONSTRAINTS),
    der(0x01, Buffer.from([255])),
    der(0x04, sequence(der(0x01, Buffer.from([255])))),
  );
  return {
    ca: sign({ subject: issuer, publicKey: own.publicKey, issuer, issuerKey: own.privateKey, extension: constraints }),
    certificateFor: ({ name, ip }) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      const names = [
        der(0x82, Buffer.from(name)),
        ...(ip === undefined ? [] : [der(0x87, Buffer.from(ip.split('.').map(Number)))]),
      ];
      const extension = sequence(oid(ALTERNATIVE_NAMES), der(0x04, sequence(...names)));
      return {
        cert: sign({ subject: name, publicKey, issuer, issuerKey: own.privateKey, extension }),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      };
    },
  };
}
