import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What stands between a client and the server. Two sockets; bytes go through unless told otherwise. */
interface Pair {
  client: Socket;
  server: Socket;
  /** How a client is told from the others: the port it comes from. */
  clientPort: number;
  /** Both ends are kept, nothing passes, and the end of one is not told to the other. */
  forgotten?: boolean;
}

/** One thing to do to what passes, asked of every chunk. Answers false to keep the chunk back. */
type Look = (chunk: Buffer, pair: Pair) => boolean;

/**
 * A TCP proxy before PostgreSQL that can be told to misbehave. It knows as much of the protocol as that: a COMMIT is
 * a message of its own, and an answer ends with ReadyForQuery.
 */
export class Proxy {
  /** Answers to COMMIT that the server gave and nobody got. */
  lostAnswers = 0;
  connections = 0;
  private readonly pairs = new Set<Pair>();
  private delayMs = 0;
  private stalled = false;
  private refusing = false;
  private upwards: Look = () => true;
  private downwards: Look = () => true;

  private constructor(
    private readonly listener: Server,
    private readonly target: URL,
  ) {}

  /** A proxy on a free port of this machine, before the server of this URL. */
  static async before(url: string): Promise<Proxy> {
    const listener = createServer();
    const proxy = new Proxy(listener, new URL(url));
    listener.on('connection', (client) => {
      proxy.accept(client);
    });
    await new Promise<void>((resolve) => {
      listener.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  /** The same database, through the proxy. */
  url(database: string): string {
    const url = new URL(database);
    url.host = `127.0.0.1:${String((this.listener.address() as AddressInfo).port)}`;
    return url.href;
  }

  /** Ends every connection with a reset on both sides, as a router does that lost its table. */
  reset(): void {
    for (const pair of this.pairs) this.end(pair);
  }

  /** Closes every connection politely on the client's side: the end of the stream, in the middle of whatever it was. */
  cut(): void {
    for (const { client, server } of this.pairs) {
      client.end();
      server.destroy();
    }
  }

  /** Nothing passes any more in either direction, and nobody is told. */
  stall(): void {
    this.stalled = true;
    for (const { client, server } of this.pairs) {
      client.pause();
      server.pause();
    }
  }

  /** Every chunk takes this much longer, each way. */
  delay(milliseconds: number): void {
    this.delayMs = milliseconds;
  }

  /** New connections are reset at once. */
  refuse(): void {
    this.refusing = true;
  }

  /** As it was before; what was stalled goes on. */
  heal(): void {
    this.refusing = false;
    this.stalled = false;
    this.delayMs = 0;
    this.upwards = () => true;
    this.downwards = () => true;
    for (const { client, server } of this.pairs) {
      client.resume();
      server.resume();
    }
  }

  /**
   * The next COMMIT (of the client on this port, or of anybody) reaches the server and is answered, and the answer is
   * thrown away with the connection.
   */
  loseAnswerToCommit(clientPort?: number): void {
    let asked: Pair | undefined;
    this.upwards = (chunk, pair) => {
      if (asked === undefined && (clientPort ?? pair.clientPort) === pair.clientPort && isCommit(chunk)) asked = pair;
      return true;
    };
    this.downwards = (chunk, pair) => {
      if (pair !== asked) return true;
      if (!isReady(chunk)) return false;
      this.lostAnswers += 1;
      this.heal();
      this.end(pair);
      return false;
    };
  }

  /** Resets a connection in the middle of a statement: this one is sent, and not answered. Resolves when it was. */
  resetDuring(statement: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.upwards = (chunk, pair) => {
        if (!statement.test(chunk.toString('latin1'))) return true;
        this.heal();
        pair.server.write(chunk, () => {
          this.end(pair);
          resolve();
        });
        return false;
      };
    });
  }

  /** Nothing passes any more, on any connection, once this statement was sent. Resolves when it was. */
  stallDuring(statement: RegExp): Promise<void> {
    return this.onceSent(statement, () => {
      this.stall();
    });
  }

  /**
   * Forgets one connection, as a balancer does that keeps its clients waiting: this statement still reaches the server,
   * and from then on nothing of the connection does. The others go on.
   */
  forgetDuring(statement: RegExp): Promise<void> {
    return this.onceSent(statement, (pair) => {
      pair.forgotten = true;
    });
  }

  private onceSent(statement: RegExp, then: (pair: Pair) => void): Promise<void> {
    return new Promise((resolve) => {
      this.upwards = (chunk, pair) => {
        if (!statement.test(chunk.toString('latin1'))) return true;
        this.upwards = () => true;
        pair.server.write(chunk, () => {
          resolve();
        });
        then(pair);
        return false;
      };
    });
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((resolve) => {
      this.listener.close(resolve);
    });
  }

  private accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(Number(this.target.port), this.target.hostname);
    const pair: Pair = { client, server, clientPort: client.remotePort ?? 0 };
    this.connections += 1;
    this.pairs.add(pair);
    for (const socket of [client, server]) socket.setNoDelay(true);
    server.on('error', () => {
      if (pair.forgotten !== true) this.end(pair);
    });
    client.on('close', () => {
      this.end(pair);
    });
    server.on('close', () => {
      if (pair.forgotten !== true) this.end(pair);
    });
    client.on('data', (chunk) => {
      if (this.upwards(chunk, pair) && pair.forgotten !== true) this.pass(chunk, server);
    });
    server.on('data', (chunk) => {
      if (this.downwards(chunk, pair) && pair.forgotten !== true) this.pass(chunk, client);
    });
    if (this.stalled) {
      client.pause();
      server.pause();
    }
  }

  private pass(chunk: Buffer, to: Socket): void {
    if (this.delayMs === 0) to.write(chunk);
    else
      setTimeout(() => {
        if (to.writable) to.write(chunk);
      }, this.delayMs);
  }

  private end(pair: Pair): void {
    if (!this.pairs.delete(pair)) return;
    for (const socket of [pair.client, pair.server]) if (!socket.destroyed) socket.resetAndDestroy();
  }
}

/** A simple query of this one word: `Q`, its length, the text, a zero. pg and Knex send it in a chunk of its own. */
const isCommit = (chunk: Buffer): boolean =>
  chunk[0] === 0x51 && /^COMMIT;?\0$/.test(chunk.subarray(5).toString('latin1'));

/** The last message of an answer: `Z`, length 5, the transaction's state. */
const isReady = (chunk: Buffer): boolean =>
  chunk.length >= 6 && chunk[chunk.length - 6] === 0x5a && chunk[chunk.length - 2] === 5;
