//! The connection: its frames, settings, windows, and what is said of streams.

use super::*;

pub fn connection() -> Vec<Case> {
    let setting =
        |id: u16, value: u32| frame(SETTINGS, 0, 0, [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let open = frame(HEADERS, 0, 1, head(&[]));
    let get = get(&[]);
    let waiting = post(&[]);
    vec![
        case("an unknown frame", Nothing, &[&frame(99, 255, 0, [0; 8])]),
        case("an unknown frame of a stream", Nothing, &[&frame(99, 255, 1, [0; 8])]),
        case("flags that nobody knows", Nothing, &[&frame(PING, 0xfe, 0, [0; 8])]),
        case("the reserved bit", Nothing, &[&frame(PING, 0, 1 << 31, [0; 8])]),
        case("a ping's answer that nobody waits for", Nothing, &[&frame(PING, ACK, 0, [0; 8])]),
        case("a ping of a stream", Goaway, &[&frame(PING, 0, 1, [0; 8])]),
        case("a short ping", Goaway, &[&frame(PING, 0, 0, [0; 6])]),
        case("a long ping", Goaway, &[&frame(PING, 0, 0, [0; 9])]),
        case("an acknowledgement with content", Goaway, &[&frame(SETTINGS, ACK, 0, [0; 6])]),
        case("settings of a stream", Goaway, &[&frame(SETTINGS, 0, 1, [])]),
        case("half a setting", Goaway, &[&frame(SETTINGS, 0, 0, [0; 3])]),
        case("a setting that nobody knows", Nothing, &[&setting(0xff, 1)]),
        case("push: 2", Goaway, &[&setting(2, 2)]),
        case("too large a window", Goaway, &[&setting(4, 1 << 31)]),
        case("too small a frame", Goaway, &[&setting(5, 16_383)]),
        case("too large a frame", Goaway, &[&setting(5, 1 << 24)]),
        case("a farewell of a stream", Goaway, &[&frame(GOAWAY, 0, 1, [0; 8])]),
        case("a window of nothing", Goaway, &[&frame(WINDOW_UPDATE, 0, 0, [0; 4])]),
        case("a window of three bytes", Goaway, &[&frame(WINDOW_UPDATE, 0, 0, [0; 3])]),
        case("a window over all", Goaway, &[&frame(WINDOW_UPDATE, 0, 0, u32::MAX.to_be_bytes())]),
        case(
            "a stream's window of nothing",
            Reset(PROTOCOL_ERROR),
            &[&waiting, &frame(WINDOW_UPDATE, 0, 1, [0; 4])],
        ),
        case(
            "a stream's window over all",
            Reset(FLOW_CONTROL_ERROR),
            &[
                &waiting,
                &frame(WINDOW_UPDATE, 0, 1, (u32::MAX >> 1).to_be_bytes()),
                &frame(WINDOW_UPDATE, 0, 1, 1_u32.to_be_bytes()),
            ],
        ),
        case("data of no stream", Goaway, &[&frame(DATA, END, 0, "a")]),
        case("data of an idle stream", Goaway, &[&frame(DATA, END, 1, "a")]),
        case("a reset of an idle stream", Goaway, &[&frame(RST_STREAM, 0, 1, [0; 4])]),
        case("a window of an idle stream", Goaway, &[&frame(WINDOW_UPDATE, 0, 1, [0, 0, 0, 1])]),
        case("a continuation of an idle stream", Goaway, &[&frame(CONTINUATION, 4, 1, head(&[]))]),
        case("a reset of no stream", Goaway, &[&frame(RST_STREAM, 0, 0, [0; 4])]),
        case("a short reset", Goaway, &[&waiting, &frame(RST_STREAM, 0, 1, [0; 3])]),
        case("a reset", Nothing, &[&waiting, &frame(RST_STREAM, 0, 1, [0, 0, 0, 8])]),
        case("a reset that nobody knows the code of", Nothing, &[&waiting, &frame(RST_STREAM, 0, 1, [9; 4])]),
        case("fields of no stream", Goaway, &[&frame(HEADERS, WHOLE, 0, head(&[]))]),
        case("a stream of the server", Goaway, &[&frame(HEADERS, WHOLE, 2, head(&[]))]),
        case("a promise", Goaway, &[&frame(PUSH_PROMISE, 4, 1, [&[0, 0, 0, 2][..], &head(&[])].concat())]),
        case(
            "a stream that should have come before",
            Goaway,
            &[
                &frame(HEADERS, WHOLE, 5, head(&[])),
                &frame(HEADERS, WHOLE, 3, head(&[])),
                &frame(HEADERS, WHOLE, 3, head(&[])),
            ],
        ),
        case("a priority of no stream", Goaway, &[&frame(PRIORITY, 0, 0, [0, 0, 0, 0, 1])]),
        case("a priority", Nothing, &[&frame(PRIORITY, 0, 3, [0, 0, 0, 0, 1])]),
        case("fields that are interrupted", Goaway, &[&open, &frame(PRIORITY, 0, 1, [0, 0, 0, 0, 1])]),
        case("fields and another stream's", Goaway, &[&open, &frame(HEADERS, WHOLE, 3, head(&[]))]),
        case("fields and data", Goaway, &[&open, &frame(DATA, END, 1, "a")]),
        case("fields and something unknown", Goaway, &[&open, &frame(99, 0, 1, "a")]),
        case("fields and another's continuation", Goaway, &[&open, &frame(CONTINUATION, 4, 3, head(&[]))]),
        case("a continuation behind the end", Goaway, &[&waiting, &frame(CONTINUATION, 4, 1, head(&[]))]),
        case("a continuation of no stream", Goaway, &[&open, &frame(CONTINUATION, 4, 0, head(&[]))]),
        case(
            "data behind the end",
            Reset(STREAM_CLOSED),
            &[&post(&[]), &frame(DATA, END, 1, "a"), &frame(DATA, END, 1, "a")],
        ),
        case(
            "fields behind the end",
            Reset(STREAM_CLOSED),
            &[&post(&[]), &frame(DATA, END, 1, ""), &frame(HEADERS, WHOLE, 1, head(&[]))],
        ),
        case(
            "data that is all padding and more",
            Goaway,
            &[&waiting, &frame(DATA, END | PADDED, 1, [9, 0, 0])],
        ),
        case(
            "fields that are all padding and more",
            Goaway,
            &[&frame(HEADERS, WHOLE | PADDED, 1, [200, 0, 0])],
        ),
        case("too large a data frame", Goaway, &[&waiting, &frame(DATA, END, 1, vec![0; 16_385])]),
        case("too large a frame of fields", Goaway, &[&frame(HEADERS, WHOLE, 1, vec![0; 16_385])]),
        case(
            "more data than there is room for",
            Reset(FLOW_CONTROL_ERROR),
            &[&waiting, &frame(DATA, 0, 1, vec![0; 16_384]).repeat(6)],
        ),
        case("index 0", Goaway, &[&frame(HEADERS, WHOLE, 1, [0x80])]),
        case("an index that is not there", Goaway, &[&frame(HEADERS, WHOLE, 1, [0xff, 0x20])]),
        case(
            "a table larger than allowed",
            Goaway,
            &[&frame(HEADERS, WHOLE, 1, [&[0x3f, 0xff, 0xff, 0x7f][..], &head(&[])].concat())],
        ),
        case(
            "padding of a Huffman text that is too long",
            Goaway,
            &[&frame(
                HEADERS,
                WHOLE,
                1,
                [&head(&[])[..], &[0, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff]]
                    .concat(),
            )],
        ),
        case("half a field", Goaway, &[&frame(HEADERS, WHOLE, 1, [0, 10, b'a'])]),
        case(
            "a padded head",
            Seen("GET", "/", ""),
            &[&frame(HEADERS, WHOLE | PADDED, 1, [&[2][..], &head(&[]), &[0, 0]].concat())],
        ),
        case(
            "a head with a priority",
            Seen("GET", "/", ""),
            &[&frame(HEADERS, WHOLE | 32, 1, [&[0, 0, 0, 0, 1][..], &head(&[])].concat())],
        ),
        case(
            "a head in three frames",
            Seen("GET", "/", ""),
            &[
                &frame(HEADERS, END, 1, &head(&[])[..5]),
                &frame(CONTINUATION, 0, 1, &head(&[])[5..9]),
                &frame(CONTINUATION, 4, 1, &head(&[])[9..]),
            ],
        ),
        case("unknown settings, then a request", Seen("GET", "/", ""), &[&setting(0xff, 1), &get]),
    ]
}
