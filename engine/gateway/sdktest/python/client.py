"""Drive the official Python SDKs of OpenAI, Anthropic and Google against the address
in BENCH_GATEWAY_URL, as any program would that was written for a provider.

The checks, their order and what they print are those of main.go beside this
directory.
"""

import json
import os
import sys
from dataclasses import dataclass, field

import anthropic
import openai
from google import genai

URL = os.environ["BENCH_GATEWAY_URL"]
TOKEN = os.environ["BENCH_GATEWAY_TOKEN"]
MODEL = os.environ["BENCH_MODEL"]

OPENAI = openai.OpenAI(base_url=URL + "/v1", api_key=TOKEN)
ANTHROPIC = anthropic.Anthropic(base_url=URL, api_key=TOKEN)
GOOGLE = genai.Client(api_key=TOKEN, http_options={"base_url": URL})

# What the script answers.
ANSWER = "Grüße aus Zürich – 你好 👋, and a few words more to fill several pieces."
CALLS = "I look at the weather in both cities."
FINAL = "Snow in Zürich and rain in Oslo, so take boots and a coat with you."
INPUT, OUTPUT = 1150, 17  # tokens, with those of caches and with reasoning

# What is sent along.
SYSTEM = "You are terse."
QUESTION = "How are you?"
TOOL_QUESTION = "What is the weather in Zürich and in Oslo?"
TOOL, DESCRIPTION = "weather", "Tells the weather in a city."
WEATHER = {"Zürich": "snow, 2 below zero", "Oslo": "rain, 3 above zero"}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where."}},
    "required": ["city"],
    "additionalProperties": False,
}


@dataclass
class Answer:
    """What an SDK made of an answer."""

    text: str = ""
    pieces: int = 0  # of the text, in a stream
    calls: list = field(default_factory=list)  # of (id, name, city)
    input: int = -1  # tokens
    output: int = -1

    def expect(self, text, stream, *cities):
        """Hold the answer against what the script says."""
        want = [(TOOL, city) for city in cities]
        assert self.text == text, f"text {self.text!r}, want {text!r}"
        assert not stream or self.pieces >= 2, f"the text came in {self.pieces} pieces"
        assert [c[1:] for c in self.calls] == want, f"calls {self.calls}, want {want}"
        used = self.input, self.output
        assert used == (INPUT, OUTPUT), f"usage: {used} tokens in and out, want {(INPUT, OUTPUT)}"


class Chat:
    """A conversation through chat completions."""

    sdk, family = "openai-python", "openai-chat"

    def __init__(self):
        self.messages = [{"role": "system", "content": SYSTEM}]
        self.more = {}

    def ask(self, text, tool):
        self.messages.append({"role": "user", "content": text})
        if tool:
            function = {"name": TOOL, "description": DESCRIPTION, "parameters": SCHEMA, "strict": True}
            self.more["tools"] = [{"type": "function", "function": function}]

    def answer(self, stream):
        out = Answer()
        asked = {"model": MODEL, "messages": self.messages, **self.more}
        if stream:
            with OPENAI.chat.completions.stream(stream_options={"include_usage": True}, **asked) as events:
                out.pieces = sum(e.type == "content.delta" for e in events)
                got = events.get_final_completion()
        else:
            got = OPENAI.chat.completions.create(**asked)
        message = got.choices[0].message
        self.messages.append(message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
        out.text = message.content
        for c in message.tool_calls or []:
            out.calls.append((c.id, c.function.name, json.loads(c.function.arguments)["city"]))
        out.input, out.output = got.usage.prompt_tokens, got.usage.completion_tokens
        want = "tool_calls" if out.calls else "stop"
        assert got.choices[0].finish_reason == want, f"finish_reason: {got.choices[0].finish_reason}"
        return out

    def result(self, call, text):
        self.messages.append({"role": "tool", "tool_call_id": call[0], "content": text})

    def status(self, error):
        """The status of HTTP in an error of the SDK's own type, or None."""
        return error.status_code if isinstance(error, openai.APIStatusError) else None


class Responses:
    """A conversation through responses."""

    sdk, family = "openai-python", "openai-responses"
    status = Chat.status

    def __init__(self):
        self.input = []
        self.more = {}

    def ask(self, text, tool):
        self.input.append({"role": "user", "content": text})
        if tool:
            function = {"name": TOOL, "description": DESCRIPTION, "parameters": SCHEMA, "strict": True}
            self.more["tools"] = [{"type": "function", **function}]

    def answer(self, stream):
        out = Answer()
        asked = {"model": MODEL, "instructions": SYSTEM, "input": self.input, "store": False, **self.more}
        if stream:
            with OPENAI.responses.stream(**asked) as events:
                out.pieces = sum(e.type == "response.output_text.delta" for e in events)
                got = events.get_final_response()
        else:
            got = OPENAI.responses.create(**asked)
        assert got.status == "completed", f"status: {got.status}"
        out.text = got.output_text
        for item in got.output:
            self.input.append(item.to_dict(exclude_none=True))
            self.input[-1].pop("parsed_arguments", None)
            if item.type == "function_call":
                out.calls.append((item.call_id, item.name, json.loads(item.arguments)["city"]))
        out.input, out.output = got.usage.input_tokens, got.usage.output_tokens
        return out

    def result(self, call, text):
        self.input.append({"type": "function_call_output", "call_id": call[0], "output": text})


class Messages:
    """A conversation through Anthropic's messages."""

    sdk, family = "anthropic-sdk-python", "anthropic-messages"

    def __init__(self):
        self.messages = []
        self.results = []  # not sent yet
        self.more = {}

    def ask(self, text, tool):
        self.messages.append({"role": "user", "content": text})
        if tool:
            self.more["tools"] = [{"name": TOOL, "description": DESCRIPTION, "input_schema": SCHEMA}]

    def answer(self, stream):
        if self.results:
            self.messages.append({"role": "user", "content": self.results})
            self.results = []
        out = Answer()
        asked = {"model": MODEL, "max_tokens": 1000, "system": SYSTEM, "messages": self.messages, **self.more}
        if stream:
            with ANTHROPIC.messages.stream(**asked) as events:
                out.pieces = sum(e.type == "text" for e in events)
                got = events.get_final_message()
        else:
            got = ANTHROPIC.messages.create(**asked)
        self.messages.append({"role": "assistant", "content": got.content})
        for block in got.content:
            if block.type == "text":
                out.text += block.text
            if block.type == "tool_use":
                out.calls.append((block.id, block.name, block.input["city"]))
        used = got.usage
        out.input = used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_creation_input_tokens or 0)
        out.output = used.output_tokens
        want = "tool_use" if out.calls else "end_turn"
        assert got.stop_reason == want, f"stop_reason: {got.stop_reason}"
        return out

    def result(self, call, text):
        self.results.append({"type": "tool_result", "tool_use_id": call[0], "content": text})

    def status(self, error):
        return error.status_code if isinstance(error, anthropic.APIStatusError) else None


class Generate:
    """A conversation through Google's generateContent."""

    sdk, family = "python-genai", "google-generateContent"

    def __init__(self):
        self.contents = []
        self.results = []  # not sent yet
        self.config = {"system_instruction": SYSTEM}

    def ask(self, text, tool):
        self.contents.append(genai.types.UserContent(text))
        if tool:
            function = {"name": TOOL, "description": DESCRIPTION, "parameters_json_schema": SCHEMA}
            self.config["tools"] = [{"function_declarations": [function]}]

    def answer(self, stream):
        if self.results:
            self.contents.append(genai.types.UserContent(self.results))
            self.results = []
        asked = {"model": MODEL, "contents": self.contents, "config": self.config}
        if stream:
            chunks = list(GOOGLE.models.generate_content_stream(**asked))
        else:
            chunks = [GOOGLE.models.generate_content(**asked)]
        out = Answer()
        said = []
        for chunk in chunks:
            said += chunk.candidates[0].content.parts or []
        for part in said:
            if part.text:
                out.text += part.text
                out.pieces += 1
            if part.function_call:
                out.calls.append((part.function_call.id, part.function_call.name, part.function_call.args["city"]))
        self.contents.append(genai.types.ModelContent(said))
        used = chunks[-1].usage_metadata
        out.input = used.prompt_token_count
        out.output = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
        reason = chunks[-1].candidates[0].finish_reason
        assert reason == genai.types.FinishReason.STOP, f"finish_reason: {reason}"
        return out

    def result(self, call, text):
        response = genai.types.FunctionResponse(id=call[0], name=call[1], response={"output": text})
        self.results.append(genai.types.Part(function_response=response))

    def status(self, error):
        return error.code if isinstance(error, genai.errors.APIError) else None


def plain(conversation, stream):
    """One question and its answer."""
    conversation.ask(QUESTION, False)
    conversation.answer(stream).expect(ANSWER, stream)


def tools(conversation, stream):
    """A question for which the model wants the tool twice."""
    conversation.ask(TOOL_QUESTION, True)
    answer = conversation.answer(stream)
    answer.expect(CALLS, stream, "Zürich", "Oslo")
    for call in answer.calls:
        conversation.result(call, WEATHER[call[2]])
    conversation.answer(stream).expect(FINAL, stream)


def refused(words):
    """A check of a question that is answered with an error."""

    def check(conversation, stream):
        conversation.ask(QUESTION, False)
        try:
            conversation.answer(stream)
        except Exception as e:  # any type but the SDK's own is what is looked for
            status = conversation.status(e)
            assert status in (400, 403) and words in str(e), f"{type(e).__name__}, status {status}: {e}"
        else:
            raise AssertionError("no error")

    return check


def run(begin, what, check):
    """Make a check, plain and streamed, and print what came of it."""
    good = True
    for stream in False, True:
        detail = ""
        try:
            check(begin(), stream)
        except Exception as e:  # the other checks are made all the same
            detail = f"{type(e).__name__}: {e}"
            good = False
        name = what + (", streamed" if stream else "")
        line = {"sdk": begin.sdk, "family": begin.family, "what": name, "ok": not detail, "detail": detail}
        print(json.dumps(line, ensure_ascii=False), flush=True)
    return good


def main():
    families = Chat, Responses, Messages, Generate
    good = True
    for begin in families:
        for what, check in ("answer", plain), ("tools", tools), ("refused", refused("not today")):
            good &= run(begin, what, check)
    for begin in families:  # by now the limit of the gateway is reached
        good &= run(begin, "used up", refused("bench: the agent has used up"))
    sys.exit(not good)


main()
