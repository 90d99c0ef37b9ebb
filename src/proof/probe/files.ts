import { randomBytes, X509Certificate } from 'node:crypto';
import path from 'node:path';
import type { Fault } from '../../config/structure.js';
import { bytesOrFault } from '../../files/read.js';
import type { Body, BodySettings, Desk } from './plan.js';

const MAX_BODY_MIB = 10;

const EMPTY: Body = { bytes: Buffer.alloc(0), contentType: 'text/plain' };

/** The certificates of a private authority, as PEM. */
export async function readAuthority(name: string, desk: Desk): Promise<string> {
  const pem = (await readBeside(name, ['ca'], desk))?.toString('latin1') ?? '';
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (pem !== '' && (certificates.length === 0 || !certificates.every(isCertificate)))
    desk.fault(['ca'], 'must be a file of PEM certificates');
  return certificates.join('\n');
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** A request's body: a text or a file, by itself or as the field of a form. */
export async function readBody(body: BodySettings, at: Fault['path'], desk: Desk): Promise<Body> {
  if ((body.text === undefined) === (body.file === undefined)) {
    desk.fault(at, 'must hold either text or file');
    return EMPTY;
  }
  const bytes =
    body.file === undefined ? Buffer.from(body.text ?? '') : await readBeside(body.file, [...at, 'file'], desk);
  if (bytes === undefined) return EMPTY;
  const contentType =
    body.contentType ?? (body.file === undefined ? 'text/plain; charset=utf-8' : 'application/octet-stream');
  return body.field === undefined ? { bytes, contentType } : asForm(bytes, { ...body, field: body.field, contentType });
}

/** multipart/form-data with one part. */
function asForm(
  bytes: Buffer,
  { field, file, contentType }: BodySettings & { field: string; contentType: string },
): Body {
  const boundary = `keylift-${randomBytes(12).toString('hex')}`;
  const fileName = file === undefined ? '' : `; filename="${path.basename(file).replace(/[^\w.-]/g, '_')}"`;
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${field}"${fileName}\r\nContent-Type: ${contentType}\r\n\r\n`;
  return {
    bytes: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
    contentType: `multipart/form-data; boundary=${boundary}`,
  };
}

/** A file named relative to the probe file. */
async function readBeside(name: string, at: Fault['path'], { file, fault }: Desk): Promise<Buffer | undefined> {
  const beside = path.resolve(path.dirname(file), name);
  const reading = await bytesOrFault(beside, MAX_BODY_MIB);
  if (reading.fault !== undefined) fault(at, `${beside} ${reading.fault}`);
  return reading.bytes;
}
