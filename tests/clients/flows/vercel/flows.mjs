// The Vercel AI SDK in its ordinary flows, by its providers for OpenAI and for what is compatible with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const baseURL = `${process.env.CCS_URL}/v1`;
const apiKey = process.env.CCS_KEY;
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=";
const providers = {
  openai: createOpenAI({ baseURL, apiKey }).chat,
  "openai-compatible": createOpenAICompatible({
    name: "ccs", baseURL, apiKey, supportsStructuredOutputs: true, includeUsage: true,
  }),
};
const weather = tool({
  description: "Weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const person = z.object({ name: z.string(), age: z.number().int().nullable(), tags: z.array(z.enum(["a", "b"])) });

for (const [name, provider] of Object.entries(providers)) {
  const model = provider("sonnet");
  const once = { model, maxRetries: 0 };

  test(`${name}: chat`, async () => {
    const { text, usage, finishReason } = await generateText({ ...once, system: "Be brief.", prompt: "[[say: Four.]]" });
    assert.equal(text, "Four.");
    assert.equal(finishReason, "stop");
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
  });

  test(`${name}: stream`, async () => {
    const result = streamText({ ...once, prompt: "[[tokens: 40]] [[rate: 50]]" });
    const parts = [];
    for await (const part of result.textStream) parts.push(part);
    assert.ok(parts.length > 3);
    assert.equal((await result.usage).outputTokens, 40);
  });

  test(`${name}: tools, step by step`, async () => {
    const prompt = '[[tool: weather {"city": "Oslo"}]] [[say: It is sunny.]]';
    const { text, steps } = await generateText({ ...once, prompt, tools: { weather }, stopWhen: stepCountIs(3) });
    assert.equal(text, "It is sunny.");
    assert.deepEqual(steps[0].toolCalls.map((call) => call.input), [{ city: "Oslo" }]);
    assert.equal(steps[0].toolResults[0].output, "sunny in Oslo");
  });

  test(`${name}: streamed tools`, async () => {
    const prompt = '[[tools: [{"name": "weather", "input": {"city": "Oslo"}}, {"name": "weather", "input": {"city": "Lima"}}]]]';
    const result = streamText({ ...once, prompt, tools: { weather }, toolChoice: "required" });
    await result.consumeStream();
    assert.deepEqual((await result.toolCalls).map((call) => call.input.city), ["Oslo", "Lima"]);
  });

  test(`${name}: structured output`, async () => {
    const prompt = '[[json: {"name": "Zoë", "age": null, "tags": ["a"]}]]';
    const { output } = await generateText({ ...once, prompt, output: Output.object({ schema: person }) });
    assert.deepEqual(output, { name: "Zoë", age: null, tags: ["a"] });
  });

  test(`${name}: streamed structured output`, async () => {
    const prompt = '[[rate: 20]] [[json: {"name": "Zoë", "age": 5, "tags": ["a", "b"]}]]';
    const result = streamText({ ...once, prompt, output: Output.object({ schema: person }) });
    const partial = [];
    for await (const part of result.partialOutputStream) partial.push(part);
    assert.ok(partial.length > 2, "it grows");
    assert.deepEqual(partial.at(-1), { name: "Zoë", age: 5, tags: ["a", "b"] });
  });

  test(`${name}: an image`, async () => {
    const content = [{ type: "text", text: "[[say: A dot.]]" }, { type: "image", image: PNG, mediaType: "image/png" }];
    const { text } = await generateText({ ...once, messages: [{ role: "user", content }] });
    assert.equal(text, "A dot.");
  });

  test(`${name}: errors`, async () => {
    await assert.rejects(generateText({ ...once, prompt: "[[fail: 429]]" }), (error) => error.statusCode === 429);
    const errors = [];
    const result = streamText({
      ...once, prompt: "[[tokens: 40]] [[rate: 100]] [[fail: 529 after=20]]", onError: ({ error }) => errors.push(error),
    });
    await result.consumeStream();
    assert.equal(errors.length, 1);
  });
}
