import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, openedPhone, socketAddress } from "../../../../../pipeline/commands/web/pages/addresses.js";

test("any name survives the address", () => {
  for (const name of ["phone-7", "Anna’s phone", "100 %", "a?b&c=d", "日本"]) {
    assert.equal(openedPhone(addressOf(name)), name);
  }
});

test("other addresses open no phone", () => {
  for (const hash of ["", "#/", "#/phone/", "#/phone/%E0%A4%A", "#main"]) {
    assert.equal(openedPhone(hash), null);
  }
});

test("the WebSocket is encrypted where the page is", () => {
  assert.equal(socketAddress("http://localhost:8080/#/phone/a"), "ws://localhost:8080/ws");
  assert.equal(socketAddress("https://h/phone?device=x", "Anna & Ben"), "wss://h/ws?device=Anna+%26+Ben");
});
