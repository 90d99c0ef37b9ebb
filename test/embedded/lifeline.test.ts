import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { expect } from 'chai';
import { eventually, isAlive, leavesNothing, startProgram, started } from './processes.js';

describe('the end of the program that started a server', () => {
  it('ends the server and its directory after kill -9', async () => {
    const program = startProgram('wait');
    const server = await started(program);
    expect(isAlive(server.pid)).to.be.true;
    program.process.kill('SIGKILL');
    expect(await program.exited).to.equal('SIGKILL');
    await leavesNothing(server);
  });

  it('leaves nothing when kill -9 comes while the cluster is made', async () => {
    const program = startProgram('wait');
    const { starting } = JSON.parse(await program.line()) as { starting: string };
    program.process.kill('SIGKILL');
    await program.exited;
    await leavesNothing({ pid: program.process.pid!, dataDirectory: starting });
  });

  for (const [ending, code] of [
    ['exit', 7],
    ['throw', 1],
    ['return', 0],
  ] as const) {
    it(`ends the server of a program that ends by ${ending} without stopping it`, async () => {
      const program = startProgram(ending);
      const server = await started(program);
      expect(await program.exited).to.equal(code);
      await leavesNothing(server);
    });
  }

  it('does not come with Ctrl-C: the program has its server until it stops it', async () => {
    const program = startProgram('wait');
    const server = await started(program);
    process.kill(-program.process.pid!, 'SIGINT');
    expect(await program.line()).to.equal('interrupted');
    expect(isAlive(server.pid)).to.be.true;
    program.process.stdin!.write('stop\n');
    expect(await program.exited).to.equal(0);
    await leavesNothing(server);
  });

  // Only Linux lets a program ask for a signal at its parent's death; elsewhere this takes two kills to go wrong.
  if (process.platform === 'linux') {
    it('ends the server even if the watchdog is killed', async () => {
      const program = startProgram('wait');
      const server = await started(program);
      const watchdog = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]);
      process.kill(watchdog, 'SIGKILL');
      await eventually('the postmaster to end', () => !isAlive(server.pid));
      program.process.kill('SIGKILL');
      await program.exited;
      await rm(server.dataDirectory, { recursive: true }); // nobody was left to do it
    });
  }
});
