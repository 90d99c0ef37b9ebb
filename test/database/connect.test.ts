import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { KeyliftError } from '../../src/errors/keylift-error.js';
import { openDatabase } from '../../src/database/connect.js';

const PASSWORD = 'hunter2-secret';

async function failure(url: string, connectTimeoutMs = 2000): Promise<KeyliftError> {
  const outcome = await openDatabase(url, { connectTimeoutMs }).then(
    async (database) => {
      await database.close();
      return 'connected';
    },
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(KeyliftError);
  return outcome as KeyliftError;
}

function told(error: KeyliftError): string {
  return JSON.stringify([error.message, error.hint, error.facts]);
}

async function listening(
  onSocket: (socket: net.Socket) => void,
): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<net.Socket>();
  const server = net
    .createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      onSocket(socket);
    })
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    close: async () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}

/** What PostgreSQL sends for a failed start: an ErrorResponse with severity, SQLSTATE and message. */
function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

async function failureOfServerSaying(code: string, message = 'no'): Promise<KeyliftError> {
  const server = await listening((socket) => socket.once('data', () => socket.end(errorResponse(code, message))));
  try {
    return await failure(`postgres://ann:${PASSWORD}@127.0.0.1:${String(server.port)}/shop`);
  } finally {
    await server.close();
  }
}

describe('openDatabase', () => {
  it('exits 5 when nobody listens, naming the place and not the password', async () => {
    const server = await listening(() => undefined);
    await server.close();
    const error = await failure(`postgres://ann:${PASSWORD}@127.0.0.1:${String(server.port)}/shop`);
    expect(error).to.include({ code: 'database_unreachable', exitCode: 5 });
    expect(error.message).to.equal(
      `cannot reach the database at 127.0.0.1:${String(server.port)}: no server listens there`,
    );
    expect(told(error)).not.to.include(PASSWORD);
  });

  it('gives up on a server that accepts and never answers', async () => {
    const server = await listening(() => undefined);
    const error = await failure(`postgres://ann:${PASSWORD}@127.0.0.1:${String(server.port)}/shop`, 100);
    await server.close();
    expect(error).to.include({ code: 'database_unreachable', exitCode: 5 });
    expect(error.message).to.match(/: no answer within 0\.1 s$/);
  });

  it('gives up on a pooler that lets us in and never answers a query', async () => {
    const welcome = Buffer.from('520000000800000000' + '5a0000000549', 'hex'); // AuthenticationOk, ReadyForQuery
    const server = await listening((socket) => socket.once('data', () => socket.write(welcome)));
    const error = await failure(`postgres://ann:${PASSWORD}@127.0.0.1:${String(server.port)}/shop`, 100);
    await server.close();
    expect(error).to.include({ code: 'database_unreachable', exitCode: 5 });
    expect(error.message).to.match(/: no answer within 0\.1 s$/);
  });

  /** AuthenticationSASL with SCRAM-SHA-256, and the challenge that follows. */
  const SCRAM = ['52000000170000000a534352414d2d5348412d3235360000', '520000000a0000000b723d'];
  const REFUSAL = errorResponse('28P01', 'no').toString('hex');
  for (const [what, answers, code] of [
    ['asks for a password that is missing', SCRAM, 'password_missing'],
    ['refuses an empty password and does not hang up', ['520000000800000003', REFUSAL], 'credentials_refused'],
    ['reports an error and does not hang up', [REFUSAL], 'credentials_refused'],
  ] as const)
    it(`closes its socket to a server that ${what}`, async () => {
      let closed: Promise<unknown> | undefined;
      const server = await listening((socket) => {
        closed = once(socket, 'close');
        const left = [...answers];
        socket.on('data', () => socket.write(Buffer.from(left.shift() ?? '', 'hex')));
      });
      const before = process.env.PGPASSWORD;
      delete process.env.PGPASSWORD;
      try {
        const error = await failure(`postgres://ann@127.0.0.1:${String(server.port)}/shop`, 60_000);
        expect(error).to.include({ code, exitCode: 2 });
        await closed;
      } finally {
        if (before !== undefined) process.env.PGPASSWORD = before;
        await server.close();
      }
    });

  it('exits 5 when the server hangs up', async () => {
    const server = await listening((socket) => socket.destroy());
    expect((await failure(`postgres://ann@127.0.0.1:${String(server.port)}/shop`)).exitCode).to.equal(5);
    await server.close();
  });

  for (const [state, code, exitCode] of [
    ['28P01', 'credentials_refused', 2],
    ['28000', 'credentials_refused', 2],
    ['3D000', 'database_unknown', 2],
    ['42501', 'connect_not_allowed', 2],
    ['53300', 'database_unreachable', 5],
    ['57P03', 'database_unreachable', 5],
    ['08P01', 'database_unreachable', 5],
  ] as const) {
    it(`makes ${state} ${code}, exit ${String(exitCode)}`, async () => {
      const error = await failureOfServerSaying(state);
      expect(error).to.include({ code, exitCode });
      expect(told(error)).not.to.include(PASSWORD);
    });
  }

  for (const url of [
    '',
    'shop',
    'mysql://ann@h/shop',
    `postgres://ann:${PASSWORD}`,
    `postgres://ann:${PASSWORD}@host:port/shop`,
    `postgres://ann:12/${PASSWORD}@host/shop`,
    `postgres://ann:12#${PASSWORD}@host/shop`,
    `postgres://ann:12?${PASSWORD}@host/shop`,
    `postgres://ann:${PASSWORD}@h1:5432,h2:5432/shop`,
    `postgres://ann:${PASSWORD}@host:99999/shop`,
    `postgres://ann:${PASSWORD}@host/shop?sslrootcert=/no/such/file`,
    `postgres://ann:${PASSWORD}%ZZ@host/shop?port=x`,
  ]) {
    it(`refuses ${url.replaceAll(PASSWORD, '…') || 'an empty URL'} without repeating it`, async () => {
      const error = await failure(url, 200);
      expect(error).to.include({ code: 'database_url_invalid', exitCode: 2 });
      expect(told(error)).not.to.include(PASSWORD);
      expect(String(error.cause)).not.to.include(PASSWORD);
    });
  }
});
