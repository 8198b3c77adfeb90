// Drives the official JavaScript SDKs of OpenAI, Anthropic and Google against the
// address in BENCH_GATEWAY_URL, as any program would that was written for a provider.
//
// The checks, their order and what they print are those of main.go beside this
// directory.
"use strict";

const assert = require("node:assert/strict");
const { default: OpenAI } = require("openai");
const { default: Anthropic } = require("@anthropic-ai/sdk");
const { GoogleGenAI, ApiError, createUserContent, createModelContent } = require("@google/genai");

const { BENCH_GATEWAY_URL: url, BENCH_GATEWAY_TOKEN: token, BENCH_MODEL: model } = process.env;

// What the script answers.
const answerText = "Grüße aus Zürich – 你好 👋, and a few words more to fill several pieces.";
const callText = "I look at the weather in both cities.";
const finalText = "Snow in Zürich and rain in Oslo, so take boots and a coat with you.";
const used = { input: 1150, output: 17 }; // tokens, with those of caches and with reasoning

// What is sent along.
const system = "You are terse.";
const question = "How are you?";
const toolQuestion = "What is the weather in Zürich and in Oslo?";
const weather = { Zürich: "snow, 2 below zero", Oslo: "rain, 3 above zero" };
const name = "weather";
const description = "Tells the weather in a city.";
const schema = {
  type: "object",
  properties: { city: { type: "string", description: "Where." } },
  required: ["city"],
  additionalProperties: false,
};

// Chat is a conversation through chat completions.
class Chat {
  static sdk = "openai-node";
  static family = "openai-chat";
  client = new OpenAI({ baseURL: url + "/v1", apiKey: token });
  messages = [{ role: "system", content: system }];
  more = {};

  ask(text, tool) {
    this.messages.push({ role: "user", content: text });
    if (tool) this.more.tools = [{ type: "function", function: { name, description, parameters: schema } }];
  }

  async answer(stream) {
    const asked = { model, messages: this.messages, ...this.more };
    let got;
    let pieces = 0;
    if (stream) {
      const events = this.client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
      for await (const chunk of events) if (chunk.choices[0]?.delta.content) pieces++;
      got = await events.finalChatCompletion();
    } else {
      got = await this.client.chat.completions.create(asked);
    }
    const { message, finish_reason } = got.choices[0];
    this.messages.push(message);
    const calls = (message.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name, ...JSON.parse(c.function.arguments) }));
    assert.equal(finish_reason, calls.length > 0 ? "tool_calls" : "stop");
    return { text: message.content, pieces, calls, input: got.usage.prompt_tokens, output: got.usage.completion_tokens };
  }

  result(call, text) {
    this.messages.push({ role: "tool", tool_call_id: call.id, content: text });
  }

  // status is that of HTTP in an error of the SDK's own type.
  status = (error) => (error instanceof OpenAI.APIError ? error.status : undefined);
}

// Responses is a conversation through responses.
class Responses {
  static sdk = "openai-node";
  static family = "openai-responses";
  client = new OpenAI({ baseURL: url + "/v1", apiKey: token });
  input = [];
  more = {};

  ask(text, tool) {
    this.input.push({ role: "user", content: text });
    if (tool) this.more.tools = [{ type: "function", name, description, parameters: schema, strict: true }];
  }

  async answer(stream) {
    const asked = { model, instructions: system, input: this.input, store: false, ...this.more };
    let got;
    let pieces = 0;
    if (stream) {
      const events = this.client.responses.stream(asked);
      for await (const event of events) if (event.type === "response.output_text.delta") pieces++;
      got = await events.finalResponse();
    } else {
      got = await this.client.responses.create(asked);
    }
    assert.equal(got.status, "completed");
    const calls = [];
    for (const { parsed_arguments, ...item } of got.output) {
      this.input.push(item);
      if (item.type === "function_call") calls.push({ id: item.call_id, name: item.name, ...JSON.parse(item.arguments) });
    }
    return { text: got.output_text, pieces, calls, input: got.usage.input_tokens, output: got.usage.output_tokens };
  }

  result(call, text) {
    this.input.push({ type: "function_call_output", call_id: call.id, output: text });
  }

  status = (error) => (error instanceof OpenAI.APIError ? error.status : undefined);
}

// Messages is a conversation through Anthropic's messages.
class Messages {
  static sdk = "anthropic-sdk-typescript";
  static family = "anthropic-messages";
  client = new Anthropic({ baseURL: url, apiKey: token });
  messages = [];
  results = []; // not sent yet
  more = {};

  ask(text, tool) {
    this.messages.push({ role: "user", content: text });
    if (tool) this.more.tools = [{ name, description, input_schema: schema }];
  }

  async answer(stream) {
    if (this.results.length > 0) {
      this.messages.push({ role: "user", content: this.results });
      this.results = [];
    }
    const asked = { model, max_tokens: 1000, system, messages: this.messages, ...this.more };
    let got;
    let pieces = 0;
    if (stream) {
      const events = this.client.messages.stream(asked);
      events.on("text", () => pieces++);
      got = await events.finalMessage();
    } else {
      got = await this.client.messages.create(asked);
    }
    this.messages.push({ role: "assistant", content: got.content });
    const text = got.content.filter((b) => b.type === "text").map((b) => b.text).join("");
    const calls = got.content.filter((b) => b.type === "tool_use").map((b) => ({ id: b.id, name: b.name, ...b.input }));
    const u = got.usage;
    assert.equal(got.stop_reason, calls.length > 0 ? "tool_use" : "end_turn");
    const input = u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0);
    return { text, pieces, calls, input, output: u.output_tokens };
  }

  result(call, text) {
    this.results.push({ type: "tool_result", tool_use_id: call.id, content: text });
  }

  status = (error) => (error instanceof Anthropic.APIError ? error.status : undefined);
}

// Generate is a conversation through Google's generateContent.
class Generate {
  static sdk = "js-genai";
  static family = "google-generateContent";
  client = new GoogleGenAI({ apiKey: token, httpOptions: { baseUrl: url } });
  contents = [];
  results = []; // not sent yet
  config = { systemInstruction: system };

  ask(text, tool) {
    this.contents.push(createUserContent(text));
    if (tool) this.config.tools = [{ functionDeclarations: [{ name, description, parametersJsonSchema: schema }] }];
  }

  async answer(stream) {
    if (this.results.length > 0) {
      this.contents.push(createUserContent(this.results));
      this.results = [];
    }
    const asked = { model, contents: this.contents, config: this.config };
    const chunks = [];
    if (stream) {
      for await (const chunk of await this.client.models.generateContentStream(asked)) chunks.push(chunk);
    } else {
      chunks.push(await this.client.models.generateContent(asked));
    }
    const parts = chunks.flatMap((c) => c.candidates[0].content.parts ?? []);
    this.contents.push(createModelContent(parts));
    const texts = parts.filter((p) => p.text).map((p) => p.text);
    const calls = chunks.flatMap((c) => c.functionCalls ?? []).map((c) => ({ id: c.id, name: c.name, ...c.args }));
    const last = chunks.at(-1);
    assert.equal(last.candidates[0].finishReason, "STOP");
    const u = last.usageMetadata;
    const output = (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0);
    return { text: texts.join(""), pieces: texts.length, calls, input: u.promptTokenCount, output };
  }

  result(call, text) {
    this.results.push({ functionResponse: { id: call.id, name: call.name, response: { output: text } } });
  }

  status = (error) => (error instanceof ApiError ? error.status : undefined);
}

// expect holds an answer against what the script says.
function expect({ text, pieces, calls, input, output }, want, stream, ...cities) {
  assert.equal(text, want);
  assert.ok(!stream || pieces >= 2, `the text came in ${pieces} pieces`);
  assert.deepEqual(calls.map((c) => [c.name, c.city]), cities.map((city) => [name, city]));
  assert.deepEqual({ input, output }, used);
}

// plain is one question and its answer.
async function plain(conversation, stream) {
  conversation.ask(question, false);
  expect(await conversation.answer(stream), answerText, stream);
}

// tools is a question for which the model wants the tool twice.
async function tools(conversation, stream) {
  conversation.ask(toolQuestion, true);
  const answer = await conversation.answer(stream);
  expect(answer, callText, stream, "Zürich", "Oslo");
  for (const call of answer.calls) conversation.result(call, weather[call.city]);
  expect(await conversation.answer(stream), finalText, stream);
}

// refused makes a check of a question that is answered with an error.
function refused(words) {
  return async (conversation, stream) => {
    conversation.ask(question, false);
    const error = await conversation.answer(stream).then(
      () => assert.fail("no error"),
      (e) => e,
    );
    const status = conversation.status(error);
    const as = `${error?.constructor?.name}, status ${status}: ${error?.message}`;
    assert.ok([400, 403].includes(status) && error.message.includes(words), as);
  };
}

// run makes a check, plain and streamed, and prints what came of it.
async function run(Conversation, what, check) {
  for (const stream of [false, true]) {
    let detail = "";
    try {
      await check(new Conversation(), stream);
    } catch (e) {
      detail = String(e?.stack ?? e);
      process.exitCode = 1;
    }
    const { sdk, family } = Conversation;
    console.log(JSON.stringify({ sdk, family, what: what + (stream ? ", streamed" : ""), ok: detail === "", detail }));
  }
}

async function main() {
  const families = [Chat, Responses, Messages, Generate];
  for (const f of families) {
    await run(f, "answer", plain);
    await run(f, "tools", tools);
    await run(f, "refused", refused("not today"));
  }
  // By now the limit of the gateway is reached.
  for (const f of families) await run(f, "used up", refused("bench: the agent has used up"));
}

main();
