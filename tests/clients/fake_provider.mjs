// A provider of models that answers as the test says, and remembers what it was asked.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** An answer in one piece: JSON text, or what is to be written as such. */
export function whole(body, { status = 200, headers = {} } = {}) {
    return (response) => {
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
}

/** An answer as server-sent events, in pieces that end anywhere. */
export function stream(text) {
    return async (response) => {
        begin(response);
        for (const piece of text.match(/[^]{1,100}/g)) {
            await new Promise((written) => response.write(piece, written));
        }
        response.end();
    };
}

/** Begins a stream that the test goes on with by itself. */
export function begin(response) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
}

/** The blocks of a recorded stream, each with the empty line that ends it. */
export function blocks(text) {
    return text.split(/(?<=\n\n)/);
}

/** What the SDKs make of a recorded stream. */
export function events(text) {
    return blocks(text)
        .map((block) => block.match(/^data: (.*)$/m)[1])
        .filter((data) => data !== '[DONE]')
        .map((data) => JSON.parse(data));
}

/** An HTTP server on a free loopback port. */
export class FakeProvider {
    #server = createServer((request, response) => this.#take(request, response));
    #answers = new Map();
    /** Every request so far: method, path, headers and body. */
    requests = [];

    static async start() {
        const provider = new FakeProvider();
        provider.#server.listen(0, '127.0.0.1');
        await once(provider.#server, 'listening');
        return provider;
    }

    get url() {
        return `http://127.0.0.1:${this.#server.address().port}`;
    }

    /** The latest request. */
    get last() {
        return this.requests.at(-1);
    }

    /** From now on requests such as `POST /v1/messages` are answered so. */
    answer(what, reply) {
        this.#answers.set(what, reply);
    }

    /** Resolves with the response to the next such request; the test answers it. */
    next(what) {
        return new Promise((asked) => this.answer(what, asked));
    }

    async stop() {
        this.#server.close();
        this.#server.closeAllConnections();
        await once(this.#server, 'close');
    }

    async #take(request, response) {
        const pieces = [];
        for await (const piece of request) {
            pieces.push(piece);
        }
        const { pathname, search } = new URL(request.url, this.url);
        this.requests.push({
            method: request.method,
            path: pathname + search,
            headers: request.headers,
            body: Buffer.concat(pieces).toString(),
        });
        const reply = this.#answers.get(`${request.method} ${pathname}`);
        assert(reply, `nobody expected ${request.method} ${request.url}`);
        await reply(response);
    }
}
