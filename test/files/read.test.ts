import { execFileSync } from 'node:child_process';
import { open, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { expect } from 'chai';
import { hasCode } from '../../src/errors/keylift-error.js';
import { checkInput, readChunks, readText, textOrFault, type WholeInput } from '../../src/files/read.js';
import { useDirectories } from '../cases/case-directory.js';

describe('reading files', () => {
  const directory = useDirectories();
  const inputOf = (file: string): WholeInput => ({ file, what: 'the list', code: 'list_unreadable', maxMiB: 1 });

  const messageOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'read',
      (error: unknown) => {
        if (!hasCode(error, 'list_unreadable')) throw error;
        return error.message;
      },
    );

  it('takes a text, and removes a byte order mark', async () => {
    const folder = await directory({ 'a.txt': '\ufeffé\n' });
    expect(await readText(inputOf(path.join(folder, 'a.txt')))).to.equal('é\n');
  });

  it('says what is there in place of a file, and waits for none of it', async () => {
    const folder = await directory({ 'a.txt': '' });
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const socket = net.createServer().listen(path.join(folder, 'socket'));
    const KINDS = [
      [folder, 'is a folder, not a file'],
      [pipe, 'is a pipe, not a file'],
      [path.join(folder, 'socket'), 'is a socket, not a file'],
      ['/dev/zero', 'is a device, not a file'],
      [path.join(folder, 'a.txt', 'b'), 'does not exist'],
    ] as const;
    for (const [file, reason] of KINDS)
      for (const read of [readText, checkInput, (input: WholeInput) => readChunks(input).next()])
        expect(await messageOf(read(inputOf(file)) as Promise<unknown>)).to.equal(`the list ${file} ${reason}`);
    socket.close();
  });

  it('refuses a file of gigabytes by its size, and one below /proc by what it reads', async () => {
    const folder = await directory({ 'large.txt': '' });
    const file = path.join(folder, 'large.txt');
    await truncate(file, 50 * 1024 ** 3);
    expect(await messageOf(readText(inputOf(file)))).to.equal(`the list ${file} is larger than 1 MiB`);
    expect(await textOrFault('/proc/kallsyms', 1)).to.deep.equal({ fault: 'is larger than 1 MiB' });
  });

  it('takes a file that is as large as the limit, and none that is a byte larger', async () => {
    const folder = await directory({ 'a.txt': '' });
    const file = path.join(folder, 'a.txt');
    await writeFile(file, 'x'.repeat(1024 ** 2));
    expect((await readText(inputOf(file))).length).to.equal(1024 ** 2);
    await writeFile(file, 'x'.repeat(1024 ** 2 + 1));
    expect(await messageOf(readText(inputOf(file)))).to.include('is larger than 1 MiB');
  });

  it('reads a file of any size by chunks of the same memory', async () => {
    const folder = await directory({ 'large.txt': '' });
    const file = path.join(folder, 'large.txt');
    await truncate(file, 200 * 1024 ** 2);
    const buffers = new Set<ArrayBufferLike>();
    let length = 0;
    for await (const chunk of readChunks(inputOf(file))) {
      buffers.add(chunk.buffer);
      length += chunk.length;
    }
    expect([length, buffers.size]).to.deep.equal([200 * 1024 ** 2, 1]);
  });

  it('says which bytes are no text', async () => {
    const folder = await directory({ 'a.txt': '' });
    const file = path.join(folder, 'a.txt');
    const handle = await open(file, 'w');
    await handle.write(Buffer.from('61006200', 'hex'));
    await handle.close();
    expect(await textOrFault(file, 1)).to.deep.equal({ fault: 'holds a NUL byte (byte 2)' });
  });
});
