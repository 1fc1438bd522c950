// The real daemon, started for a test.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';

// No proxy, and no key of a provider that the tester may have.
const inherited = ['PATH', 'LD_LIBRARY_PATH', 'ASAN_OPTIONS', 'LSAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS',
    'GCOV_PREFIX', 'GCOV_PREFIX_STRIP'];

function environment() {
    return Object.fromEntries(inherited.filter((name) => name in process.env).map((name) => [name, process.env[name]]));
}

/** sallyportd with a directory of its own, listening on free loopback ports. */
export class Daemon {
    #directory;
    #process;
    #exit;
    #log = '';
    #operators;
    #operatorToken;

    /**
     * Resolves when the daemon is ready.
     * @param files what to write beside its data first, by name
     * @param settings given as `-Dkey=value`; `${directory}` stands for where those files are
     */
    static async start({ files = {}, settings = {} } = {}) {
        const daemon = new Daemon();
        daemon.#directory = await mkdtemp(join(tmpdir(), 'sallyport-clients-'));
        for (const [name, content] of Object.entries({ 'sallyport.properties': '', ...files })) {
            await writeFile(join(daemon.#directory, name), content, { mode: 0o600 });
        }
        await daemon.#launch(settings);
        const data = join(daemon.#directory, 'data');
        daemon.#operators = (await readFile(join(data, 'operator.address'), 'utf8')).trim();
        daemon.#operatorToken = (await readFile(join(data, 'operator.token'), 'utf8')).trim();
        return daemon;
    }

    async #launch(settings) {
        const build = process.env.SALLYPORT_BUILD;
        const all = {
            'data.dir': '${directory}/data',
            'plugins.dir': join(build, 'lib/sallyport/plugins'),
            'worker.listen': '127.0.0.1:0',
            'operator.listen': '127.0.0.1:0',
            'log.format': 'json',
            ...settings,
        };
        const overrides = Object.entries(all).map(
            ([key, value]) => `-D${key}=${String(value).replace('${directory}', this.#directory)}`);
        this.#process = spawn(join(build, 'bin/sallyportd'),
            [`--config=${join(this.#directory, 'sallyport.properties')}`, ...overrides],
            { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
        this.#exit = once(this.#process, 'exit');
        const killed = () => this.#process.kill('SIGKILL');
        process.once('exit', killed);
        this.#process.once('exit', () => process.removeListener('exit', killed));
        await new Promise((ready, failed) => {
            createInterface({ input: this.#process.stderr }).on('line', (line) => {
                this.#log += `${line}\n`;
                if (line.includes('"message":"ready"')) {
                    ready();
                }
            }).once('close', () => failed(new Error(`the daemon ended:\n${this.#log}`)));
        });
    }

    /** Asks the operator's door, as its admin. */
    async operate(method, path, body) {
        const response = await fetch(`${this.#operators}/api${path}`, {
            method,
            headers: { authorization: `Bearer ${this.#operatorToken}`, 'content-type': 'application/json' },
            body: JSON.stringify(body),
        });
        assert(response.ok, `${method} ${path}: ${response.status} ${response.ok || await response.text()}`);
        return response.json();
    }

    /** A new job: `id`, `token`, and `url`, where its worker finds the door. */
    async createJob() {
        const job = await this.operate('POST', '/jobs', { task: 'talk to a model' });
        return { id: job.job_id, token: job.token, url: job.worker_url };
    }

    /** Everything that it has logged. */
    get log() {
        return this.#log;
    }

    /** Ends it. Rejects if it did not end well, which a sanitizer's finding is too. */
    async stop() {
        this.#process.kill('SIGTERM');
        const [code, signal] = await this.#exit;
        await rm(this.#directory, { recursive: true });
        assert.equal(signal ?? code, 0, this.#log);
    }
}
