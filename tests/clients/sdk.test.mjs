// The gateway, asked by the clients that agents are made with.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

import { Daemon } from './daemon.mjs';
import { begin, blocks, events, FakeProvider, stream, whole } from './fake_provider.mjs';

const keys = { openai: 'sk-the-key-of-openai', anthropic: 'sk-ant-the-key-of-anthropic' };
const requestLimit = 4;

const chat = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Grüß dich 👋 "quoted" \\ \u0007' }] };
const asking = { model: 'gpt-4o-mini', input: 'Say hello.' };
const message = { model: 'claude-opus-5-5', max_tokens: 1024, messages: chat.messages };

const parameters = {
    type: 'object',
    properties: { location: { type: 'string' } },
    required: ['location'],
    additionalProperties: false,
};
const openaiTools = [{ type: 'function', function: { name: 'get_weather', strict: true, parameters } }];
const anthropicTools = [{ name: 'get_weather', description: 'The weather now', input_schema: parameters }];

function recorded(name) {
    return readFileSync(join(process.env.SALLYPORT_RECORDED, name), 'utf8');
}

/** The SDKs as the worker of a job has them. `sent` gets the bodies of their requests. */
function clientsOf({ url, token }) {
    const sent = [];
    const options = {
        apiKey: token,
        maxRetries: 0,
        fetch: (address, request) => {
            sent.push(request.body);
            return fetch(address, request);
        },
    };
    return {
        openai: new OpenAI({ ...options, baseURL: `${url}/openai/v1` }),
        anthropic: new Anthropic({ ...options, baseURL: `${url}/anthropic` }),
        sent,
    };
}

async function all(stream) {
    const items = [];
    for await (const item of stream) {
        items.push(item);
    }
    return items;
}

describe('behind a gateway with providers', { timeout: 120_000 }, () => {
    let provider;
    let daemon;
    const tokens = [];

    async function clients() {
        const job = await daemon.createJob();
        tokens.push(job.token);
        return { ...clientsOf(job), job };
    }

    before(async () => {
        provider = await FakeProvider.start();
        daemon = await Daemon.start({
            files: { 'openai.key': `${keys.openai}\n` },
            settings: {
                'llm.providers': 'gpt, claude',
                'llm.provider.gpt.type': 'openai',
                'llm.provider.gpt.base_url': `${provider.url}/v1`,
                'llm.provider.gpt.key': 'file:${directory}/openai.key',
                'llm.provider.claude.type': 'anthropic',
                'llm.provider.claude.base_url': provider.url,
                'llm.provider.claude.key': 'secret:anthropic',
                'llm.aliases': 'fast=gpt-4o-mini, smart=claude-opus-5-5',
                'llm.allowed_models': 'gpt-*, claude-*, text-embedding-*',
                'llm.limit.requests': requestLimit,
                // Failures are what is tested.
                'llm.retry.max': 0,
                'llm.breaker.failures': 1000,
            },
        });
        await daemon.operate('PUT', '/secrets/anthropic', { value: keys.anthropic });
    });

    after(async () => {
        await daemon?.stop();
        await provider?.stop();
    });

    /** That the provider got these bytes. */
    function assertAsked(path, body) {
        assert.equal(provider.last.path, path);
        assert.equal(provider.last.body, body);
    }

    describe('the OpenAI SDK', () => {
        it('gets a chat completion', async () => {
            const { openai, sent } = await clients();
            provider.answer('POST /v1/chat/completions', whole(recorded('openai_text.json')));
            const completion = await openai.chat.completions.create(chat);
            assert.deepEqual(completion, JSON.parse(recorded('openai_text.json')));
            assertAsked('/v1/chat/completions', sent[0]);
        });

        it('gets the very bytes of an answer', async () => {
            const { openai } = await clients();
            const bytes = recorded('openai_stream_text.sse');
            provider.answer('POST /v1/chat/completions', stream(bytes));
            const response = await openai.chat.completions
                .create({ ...chat, stream: true, stream_options: { include_usage: true } }).asResponse();
            assert.equal(response.headers.get('content-type').split(';')[0], 'text/event-stream');
            assert.equal(await response.text(), bytes);
        });

        it('gets a stream with its usage', async () => {
            const { openai, sent } = await clients();
            provider.answer('POST /v1/chat/completions', stream(recorded('openai_stream_text.sse')));
            const chunks = await all(await openai.chat.completions.create(
                { ...chat, stream: true, stream_options: { include_usage: true } }));
            assert.deepEqual(chunks, events(recorded('openai_stream_text.sse')));
            assert(chunks.at(-1).usage.total_tokens > 0);
            assertAsked('/v1/chat/completions', sent[0]);
        });

        it('gets a stream without the usage that it did not ask for, although the gateway did', async () => {
            const { openai, sent } = await clients();
            provider.answer('POST /v1/chat/completions', stream(recorded('openai_stream_text.sse')));
            const chunks = await all(await openai.chat.completions.create({ ...chat, stream: true }));
            assert.deepEqual(chunks, events(recorded('openai_stream_text.sse')).slice(0, -1));
            assert.deepEqual(JSON.parse(provider.last.body),
                { ...JSON.parse(sent[0]), stream_options: { include_usage: true } });
        });

        it('calls tools and tells what they returned', async () => {
            const { openai, sent } = await clients();
            provider.answer('POST /v1/chat/completions', whole(recorded('openai_tools.json')));
            const completion = await openai.chat.completions.create(
                { ...chat, tools: openaiTools, tool_choice: 'auto' });
            const said = completion.choices[0].message;
            assert.deepEqual(said, JSON.parse(recorded('openai_tools.json')).choices[0].message);
            assertAsked('/v1/chat/completions', sent[0]);

            const results = said.tool_calls.map(
                ({ id }) => ({ role: 'tool', tool_call_id: id, content: '{"n":18.50}' }));
            assert.equal(results.length, 2);
            provider.answer('POST /v1/chat/completions', whole(recorded('openai_text.json')));
            await openai.chat.completions.create(
                { ...chat, messages: [...chat.messages, said, ...results], tools: openaiTools });
            assertAsked('/v1/chat/completions', sent[1]);
        });

        it('calls tools in a stream', async () => {
            const { openai } = await clients();
            provider.answer('POST /v1/chat/completions', stream(recorded('openai_stream_tools.sse')));
            const completion = await openai.chat.completions
                .stream({ ...chat, tools: openaiTools }).finalChatCompletion();
            assert.equal(completion.choices[0].finish_reason, 'tool_calls');
            assert.deepEqual(
                completion.choices[0].message.tool_calls.map(({ function: { name, arguments: text } }) => [name, text]),
                [['get_weather', '{"location":"Paris"}'], ['get_time', '{}']]);
        });

        it('gets a response', async () => {
            const { openai, sent } = await clients();
            provider.answer('POST /v1/responses', whole(recorded('responses_text.json')));
            const response = await openai.responses.create(asking);
            const { output_text: text, ...rest } = response;
            assert.deepEqual(rest, JSON.parse(recorded('responses_text.json')));
            assert.equal(text, 'In a peaceful grove beneath a silver moon.');
            assertAsked('/v1/responses', sent[0]);
        });

        it('gets a streamed response', async () => {
            const { openai, sent } = await clients();
            provider.answer('POST /v1/responses', stream(recorded('responses_stream.sse')));
            const seen = await all(await openai.responses.create({ ...asking, stream: true }));
            assert.deepEqual(seen, events(recorded('responses_stream.sse')));
            assertAsked('/v1/responses', sent[0]);
        });

        it('gets a streamed response put together', async () => {
            const { openai } = await clients();
            provider.answer('POST /v1/responses', stream(recorded('responses_stream.sse')));
            const response = await openai.responses.stream(asking).finalResponse();
            assert.equal(response.status, 'completed');
            assert.equal(response.output_text, 'Hi there');
        });

        it('gets embeddings', async () => {
            const { openai, sent } = await clients();
            const said = {
                object: 'list',
                data: [{ object: 'embedding', index: 0, embedding: [0.0023064255, -0.009327292] }],
                model: 'text-embedding-3-small',
                usage: { prompt_tokens: 1, total_tokens: 1 },
            };
            provider.answer('POST /v1/embeddings', whole(said));
            assert.deepEqual(await openai.embeddings.create(
                { model: 'text-embedding-3-small', input: 'hello', encoding_format: 'float' }), said);
            assertAsked('/v1/embeddings', sent[0]);
        });

        it('lists the models that its job may use', async () => {
            const { openai } = await clients();
            const model = (id) => ({ id, object: 'model', created: 1721172741, owned_by: 'system' });
            provider.answer('GET /v1/models', whole({
                object: 'list',
                data: ['gpt-4o-mini', 'o3', 'text-embedding-3-small'].map(model),
            }));
            const listed = await all(openai.models.list());
            assert.deepEqual(listed, [model('gpt-4o-mini'), model('text-embedding-3-small')]);

            provider.answer('GET /v1/models/gpt-4o-mini', whole(model('gpt-4o-mini')));
            assert.deepEqual(await openai.models.retrieve('gpt-4o-mini'), model('gpt-4o-mini'));
            await assert.rejects(openai.models.retrieve('o3'), OpenAI.PermissionDeniedError);
        });

        it('asks for a model by an alias', async () => {
            const { openai, sent } = await clients();
            provider.answer('POST /v1/chat/completions', whole(recorded('openai_text.json')));
            await openai.chat.completions.create({ ...chat, model: 'fast' });
            assertAsked('/v1/chat/completions', sent[0].replace('"fast"', '"gpt-4o-mini"'));
        });
    });

    describe('the Anthropic SDK', () => {
        it('gets a message', async () => {
            const { anthropic, sent } = await clients();
            provider.answer('POST /v1/messages', whole(recorded('anthropic_text.json')));
            assert.deepEqual(await anthropic.messages.create(message), JSON.parse(recorded('anthropic_text.json')));
            assertAsked('/v1/messages', sent[0]);
        });

        it('sends its token as older versions do', async () => {
            const { job } = await clients();
            const anthropic = new Anthropic({
                baseURL: `${job.url}/anthropic`,
                maxRetries: 0,
                defaultHeaders: { authorization: null, 'x-api-key': job.token, 'anthropic-version': '2023-06-01' },
            });
            provider.answer('POST /v1/messages', whole(recorded('anthropic_text.json')));
            await anthropic.messages.create(message);
            assert.equal(provider.last.headers['x-api-key'], keys.anthropic);
            assert.equal(provider.last.headers['anthropic-version'], '2023-06-01');
        });

        it('chooses the version of the API and its betas', async () => {
            const { anthropic } = await clients();
            provider.answer('POST /v1/messages', whole(recorded('anthropic_text.json')));
            await anthropic.messages.create(message,
                { headers: { 'anthropic-version': '2026-10-21', 'anthropic-beta': 'context-1m-2025-08-07' } });
            assert.equal(provider.last.headers['anthropic-version'], '2026-10-21');
            assert.equal(provider.last.headers['anthropic-beta'], 'context-1m-2025-08-07');
        });

        it('gets a stream', async () => {
            const { anthropic, sent } = await clients();
            provider.answer('POST /v1/messages', stream(recorded('anthropic_stream_text.sse')));
            const seen = await all(await anthropic.messages.create({ ...message, stream: true }));
            assert.deepEqual(seen,
                events(recorded('anthropic_stream_text.sse')).filter(({ type }) => type !== 'ping'));
            assertAsked('/v1/messages', sent[0]);
        });

        it('gets a streamed message put together', async () => {
            const { anthropic } = await clients();
            provider.answer('POST /v1/messages', stream(recorded('anthropic_stream_text.sse')));
            const streamed = anthropic.messages.stream(message);
            let text = '';
            streamed.on('text', (piece) => { text += piece; });
            const final = await streamed.finalMessage();
            assert.equal(text, 'Hello!');
            assert.deepEqual(final.content.map(({ type }) => type), ['thinking', 'text']);
            assert.equal(final.stop_reason, 'end_turn');
            assert.equal(final.usage.output_tokens, 15);
        });

        it('calls tools and tells what they returned', async () => {
            const { anthropic, sent } = await clients();
            provider.answer('POST /v1/messages', whole(recorded('anthropic_tools.json')));
            const said = await anthropic.messages.create({ ...message, tools: anthropicTools });
            assert.equal(said.stop_reason, 'tool_use');
            const call = said.content.find(({ type }) => type === 'tool_use');
            assert.deepEqual(call, JSON.parse(recorded('anthropic_tools.json')).content[1]);
            assertAsked('/v1/messages', sent[0]);

            provider.answer('POST /v1/messages', whole(recorded('anthropic_text.json')));
            await anthropic.messages.create({
                ...message,
                messages: [...message.messages, { role: 'assistant', content: said.content }, {
                    role: 'user',
                    content: [{ type: 'tool_result', tool_use_id: call.id, content: '18.50 degrees' }],
                }],
                tools: anthropicTools,
            });
            assertAsked('/v1/messages', sent[1]);
        });

        it('calls tools in a stream', async () => {
            const { anthropic } = await clients();
            provider.answer('POST /v1/messages', stream(recorded('anthropic_stream_tools.sse')));
            const final = await anthropic.messages.stream({ ...message, tools: anthropicTools }).finalMessage();
            assert.equal(final.stop_reason, 'tool_use');
            const call = final.content.find(({ type }) => type === 'tool_use');
            assert.equal(call.name, 'get_weather');
            assert.deepEqual(call.input, { location: 'San Francisco, CA' });
        });

        it('counts tokens', async () => {
            const { anthropic, sent } = await clients();
            provider.answer('POST /v1/messages/count_tokens', whole({ input_tokens: 14 }));
            const counted = await anthropic.messages.countTokens({ model: message.model, messages: message.messages });
            assert.deepEqual(counted, { input_tokens: 14 });
            assertAsked('/v1/messages/count_tokens', sent[0]);
        });

        it('lists the models that its job may use', async () => {
            const { anthropic } = await clients();
            const model = (id) => ({ type: 'model', id, display_name: id, created_at: '2025-09-29T00:00:00Z' });
            provider.answer('GET /v1/models', whole({
                data: ['claude-opus-5-5', 'clever-1'].map(model),
                has_more: false,
                first_id: 'claude-opus-5-5',
                last_id: 'clever-1',
            }));
            assert.deepEqual(await all(anthropic.models.list()), [model('claude-opus-5-5')]);
        });

        it('asks for a model by an alias', async () => {
            const { anthropic, sent } = await clients();
            provider.answer('POST /v1/messages', whole(recorded('anthropic_text.json')));
            await anthropic.messages.create({ ...message, model: 'smart' });
            assertAsked('/v1/messages', sent[0].replace('"smart"', '"claude-opus-5-5"'));
        });
    });

    const streams = [{
        name: 'a chat completion',
        what: 'POST /v1/chat/completions',
        file: 'openai_stream_text.sse',
        open: ({ openai }) => openai.chat.completions.create(
            { ...chat, stream: true, stream_options: { include_usage: true } }),
        APIError: OpenAI.APIError,
    }, {
        name: 'a response',
        what: 'POST /v1/responses',
        file: 'responses_stream.sse',
        open: ({ openai }) => openai.responses.create({ ...asking, stream: true }),
        APIError: OpenAI.APIError,
    }, {
        name: 'a message',
        what: 'POST /v1/messages',
        file: 'anthropic_stream_text.sse',
        open: ({ anthropic }) => anthropic.messages.create({ ...message, stream: true }),
        APIError: Anthropic.APIError,
    }];

    for (const { name, what, file, open, APIError } of streams) {
        describe(`a stream of ${name}`, () => {
            /** Both ends of a stream whose first block has been sent, and the blocks that are left. */
            async function opened() {
                const asked = provider.next(what);
                const opening = open(await clients());
                const response = await Promise.race([asked, opening]);
                const [first, ...rest] = blocks(recorded(file));
                begin(response);
                response.write(first);
                const client = await opening;
                const iterator = client[Symbol.asyncIterator]();
                assert.deepEqual((await iterator.next()).value, events(first)[0]);
                return { response, rest, client, iterator };
            }

            it('arrives event by event', async () => {
                const { response, rest, iterator } = await opened();
                for (const block of rest) {
                    response.write(block);
                    for (const event of events(block).filter(({ type }) => type !== 'ping')) {
                        assert.deepEqual((await iterator.next()).value, event);
                    }
                }
                response.end();
                assert.equal((await iterator.next()).done, true);
            });

            it('takes the upstream with it when it is aborted', async () => {
                const { response, client, iterator } = await opened();
                const closed = once(response, 'close');
                client.controller.abort();
                await closed;
                assert.equal((await iterator.next()).done, true);
            });

            it('takes the upstream with it when its reader has had enough', async () => {
                const { response, iterator } = await opened();
                const closed = once(response, 'close');
                await iterator.return();
                await closed;
            });

            it('ends with an error when the upstream dies', async () => {
                const { response, iterator } = await opened();
                response.destroy();
                await assert.rejects(iterator.next(), APIError);
            });

            it('ends with an error when the upstream ends too early', async () => {
                const { response, iterator } = await opened();
                response.end();
                await assert.rejects(iterator.next(), APIError);
            });
        });
    }

    it('a request that is aborted before the answer takes the upstream with it', async () => {
        const { openai, anthropic } = await clients();
        const aborting = [
            ['POST /v1/chat/completions', (options) => openai.chat.completions.create(chat, options), OpenAI],
            ['POST /v1/messages', (options) => anthropic.messages.create(message, options), Anthropic],
        ];
        for (const [what, ask, { APIUserAbortError }] of aborting) {
            const asked = provider.next(what);
            const controller = new AbortController();
            const answered = assert.rejects(ask({ signal: controller.signal }), APIUserAbortError);
            const closed = once(await asked, 'close');
            controller.abort();
            await answered;
            await closed;
        }
    });

    describe('an error', () => {
        const asks = [
            ['OpenAI', OpenAI, keys.openai, 'POST /v1/chat/completions',
                ({ openai }, model = chat.model) => openai.chat.completions.create({ ...chat, model })],
            ['Anthropic', Anthropic, keys.anthropic, 'POST /v1/messages',
                ({ anthropic }, model = message.model) => anthropic.messages.create({ ...message, model })],
        ];

        for (const [name, SDK, key, what, ask] of asks) {
            /** The error that a request ends with. @param reply what the provider says, if it is asked */
            async function errorOf(reply, request = async () => ask(await clients())) {
                const before = provider.requests.length;
                provider.answer(what, reply ?? whole('{}'));
                const error = await request().then(() => assert.fail('there was no error'), (reason) => reason);
                assert.equal(provider.requests.length - before, reply ? 1 : 0);
                return error;
            }

            describe(`for the ${name} SDK`, () => {
                it('of a wrong token', async () => {
                    const { job } = await clients();
                    const error = await errorOf(null, () => ask(clientsOf({ ...job, token: 'wrong' })));
                    assert(error instanceof SDK.AuthenticationError, error);
                });

                it('of another job\'s token', async () => {
                    const [mine, other] = [await clients(), await clients()];
                    const error = await errorOf(null, () => ask(clientsOf({ ...mine.job, token: other.job.token })));
                    assert(error instanceof SDK.AuthenticationError, error);
                });

                it('of a job that is over', async () => {
                    const over = await clients();
                    await daemon.operate('POST', `/jobs/${over.job.id}/cancel`, {});
                    const error = await errorOf(null, () => ask(over));
                    assert(error instanceof SDK.AuthenticationError, error);
                });

                it('of a model that is not allowed', async () => {
                    const error = await errorOf(null, async () => ask(await clients(), 'o3'));
                    assert(error instanceof SDK.PermissionDeniedError, error);
                    assert.match(error.message, /this model is not one that jobs may use/);
                });

                it('of a field that is wrong', async () => {
                    const error = await errorOf(null, async () => ask(await clients(), 7));
                    assert(error instanceof SDK.UnprocessableEntityError, error);
                    assert.match(error.message, /model/);
                });

                it('of a budget that is used up', async () => {
                    const spender = await clients();
                    const recording = SDK === OpenAI ? 'openai_text.json' : 'anthropic_text.json';
                    provider.answer(what, whole(recorded(recording)));
                    for (let i = 0; i < requestLimit; ++i) {
                        await ask(spender);
                    }
                    const error = await errorOf(null, () => ask(spender));
                    assert(error instanceof SDK.RateLimitError, error);
                    assert.match(error.message, new RegExp(`${requestLimit} requests`));
                });

                it('of the provider, about the request', async () => {
                    const said = { error: { type: 'invalid_request_error', message: `too many images for ${key}` } };
                    const error = await errorOf(whole(said, { status: 400 }));
                    assert(error instanceof SDK.BadRequestError, error);
                    assert.match(error.message, /too many images/);
                    assert.doesNotMatch(error.message, /sk-/);
                });

                it('of the provider, which is busy', async () => {
                    const said = { error: { type: 'rate_limit_error', message: 'slow down' } };
                    const error = await errorOf(whole(said, { status: 429, headers: { 'retry-after': '7' } }));
                    assert(error instanceof SDK.RateLimitError, error);
                    assert.equal(error.headers.get('retry-after'), '7');
                });

                it('of the provider, about its key', async () => {
                    const said = { error: { message: `the key ${key} is wrong` } };
                    const error = await errorOf(whole(said, { status: 401 }));
                    assert(error instanceof SDK.InternalServerError, error);
                    assert.equal(error.status, 502);
                    assert.doesNotMatch(error.message, /sk-/);
                });

                it('of the provider, which is broken', async () => {
                    for (const reply of [
                        (response) => {
                            response.writeHead(200, { 'content-length': 100 });
                            response.write('{"half":', () => response.destroy());
                        },
                        whole('<html>Bad gateway</html>', { headers: { 'content-type': 'text/html' } }),
                        whole('{"half":'),
                        whole({ error: { message: 'overloaded' } }, { status: 529 }),
                    ]) {
                        const error = await errorOf(reply);
                        assert(error instanceof SDK.InternalServerError, error);
                        assert.equal(error.status, 502);
                    }
                });
            });
        }
    });

    it('the provider has seen its own key, and nothing of a job', () => {
        assert(provider.requests.length > 0);
        for (const request of provider.requests) {
            const { authorization, 'x-api-key': key } = request.headers;
            if (key === undefined) {
                assert.equal(authorization, `Bearer ${keys.openai}`);
            } else {
                assert.deepEqual([key, authorization], [keys.anthropic, undefined]);
            }
            assert.deepEqual(Object.keys(request.headers).filter((name) => name.startsWith('x-stainless')), []);
            const everything = JSON.stringify(request);
            assert(tokens.every((token) => !everything.includes(token)), everything);
        }
    });

    it('the log has neither keys nor tokens', () => {
        const secrets = [...Object.values(keys), ...tokens];
        assert.deepEqual(daemon.log.split('\n').filter((line) => secrets.some((secret) => line.includes(secret))), []);
    });
});

describe('behind a gateway without any configuration', { timeout: 60_000 }, () => {
    let daemon;
    const text = '[echo] hello there';
    const messages = [{ role: 'user', content: 'hello there' }];

    before(async () => {
        daemon = await Daemon.start();
    });

    after(() => daemon?.stop());

    async function clients() {
        return clientsOf(await daemon.createJob());
    }

    it('the OpenAI SDK chats', async () => {
        const { openai } = await clients();
        const completion = await openai.chat.completions.create({ model: 'echo', messages });
        assert.equal(completion.choices[0].message.content, text);
        assert.equal(completion.choices[0].finish_reason, 'stop');
        assert.equal(completion.usage.total_tokens,
            completion.usage.prompt_tokens + completion.usage.completion_tokens);
    });

    it('the OpenAI SDK chats in a stream', async () => {
        const { openai } = await clients();
        const chunks = await all(await openai.chat.completions.create({ model: 'echo', messages, stream: true }));
        assert(chunks.length > 2);
        assert.equal(chunks.map(({ choices }) => choices[0].delta.content ?? '').join(''), text);
        const completion = await openai.chat.completions.stream({ model: 'echo', messages }).finalChatCompletion();
        assert.equal(completion.choices[0].message.content, text);
    });

    it('the OpenAI SDK gets responses', async () => {
        const { openai } = await clients();
        const response = await openai.responses.create({ model: 'echo', input: 'hello there' });
        assert.equal(response.output_text, text);
        assert.equal(response.status, 'completed');
    });

    it('the OpenAI SDK gets streamed responses', async () => {
        const { openai } = await clients();
        const streamed = openai.responses.stream({ model: 'echo', input: 'hello there' });
        const seen = await all(streamed);
        assert.equal(seen.filter(({ type }) => type === 'response.output_text.delta')
            .map(({ delta }) => delta).join(''), text);
        assert.equal((await streamed.finalResponse()).output_text, text);
    });

    it('the OpenAI SDK finds the model', async () => {
        const { openai } = await clients();
        assert.deepEqual((await all(openai.models.list())).map(({ id }) => id), ['echo']);
    });

    it('the Anthropic SDK gets messages', async () => {
        const { anthropic } = await clients();
        const answer = await anthropic.messages.create({ model: 'echo', max_tokens: 64, messages });
        assert.deepEqual(answer.content.map(({ text }) => text), [text]);
        assert.equal(answer.stop_reason, 'end_turn');
        assert(answer.usage.output_tokens > 0);
    });

    it('the Anthropic SDK gets streamed messages', async () => {
        const { anthropic } = await clients();
        const streamed = anthropic.messages.stream({ model: 'echo', max_tokens: 64, messages });
        const seen = await all(streamed);
        assert.equal(seen.filter(({ type }) => type === 'content_block_delta')
            .map(({ delta }) => delta.text).join(''), text);
        assert.equal(await streamed.finalText(), text);
        assert.equal((await streamed.finalMessage()).stop_reason, 'end_turn');
    });

    it('the Anthropic SDK finds the model', async () => {
        const { anthropic } = await clients();
        assert.deepEqual((await all(anthropic.models.list())).map(({ id }) => id), ['echo']);
    });
});
