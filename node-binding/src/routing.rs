//! Decisions for JavaScript: the one call that a host may make for every request it serves.
//!
//! Nothing of an answer is remembered. What makes a call cheap is that little crosses: the notebook's id, three numbers, and of
//! the attributes only what differs from the question before.

use std::cell::RefCell;
use std::{panic, ptr};

use flags::Context;
use napi::bindgen_prelude::{Either3, FromNapiValue, Object, ToNapiValue, Unknown, panic_to_error};
use napi::{Env, JsError, Result, check_status, sys};
use napi_derive::napi;
use serde_json::{Number, Value};

use crate::convert::write;
use crate::environment::{now, with};
use crate::flags::context;
use crate::{outcomes, text};

/// The question without attributes.
const BARE: u32 = 0;

/// The rule may look at the time, and none was given.
const NEEDS_TIME: f64 = -1.0;

/// Another question has been put in the place of the one asked about.
const UNKNOWN_QUESTION: f64 = -2.0;

thread_local! {
    static QUESTIONS: RefCell<Questions> = RefCell::default();
}

/// Whom decisions are asked for, but for the notebook: with no attributes, and with those that were told last.
#[derive(Default)]
struct Questions {
    bare: Context,
    number: u32,
    /// The JSON that the attributes were told by; empty where they have been varied since.
    told: String,
    context: Context,
}

impl Questions {
    fn of(&mut self, number: u32) -> Option<&mut Context> {
        match number {
            BARE => Some(&mut self.bare),
            _ if number == self.number => Some(&mut self.context),
            _ => None,
        }
    }
}

/// The decision for a notebook, the first argument, in one number: that of its outcome, times 2^32, plus its bucket. -1 asks for
/// the time in milliseconds, the third argument, which the rule may look at, in place of NaN; -2 for the attributes, which the
/// question, the second, no longer stands for.
fn route(notebook: &str, question: u32, wall_ms: f64) -> Result<f64> {
    QUESTIONS.with_borrow_mut(|questions| {
        let Some(context) = questions.of(question) else { return Ok(UNKNOWN_QUESTION) };
        context.retarget(notebook, now(wall_ms, 0.0).wall_ms);
        with(|environment| {
            Ok(environment.choice(context, |choice| match choice.is_timed && wall_ms.is_nan() {
                true => NEEDS_TIME,
                false => outcomes::packed(&choice),
            }))
        })
    })
}

/// Exports `route(notebook: string, question: number, wallMs: number): number`. The glue that is generated for the other exports
/// takes longer than a decision does.
#[napi(module_exports, catch_unwind)]
pub fn export_route(mut exports: Object<'_>, env: Env) -> Result<()> {
    let function = route_function(&env)?;
    exports.set("route", function)
}

#[expect(unsafe_code, reason = "a function of JavaScript without generated glue is made by hand")]
fn route_function(env: &Env) -> Result<Unknown<'_>> {
    let (name, length) = (c"route".as_ptr(), "route".len() as isize);
    let mut function = ptr::null_mut();
    // SAFETY: env is that of the call under way, and the callback is one for Node to call.
    let status =
        unsafe { sys::napi_create_function(env.raw(), name, length, Some(routed), ptr::null_mut(), &raw mut function) };
    check_status!(status, "cannot export `route`")?;
    // SAFETY: Node has just made it, in this environment.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), function) })
}

/// [`route`] as Node calls it. A panic becomes an error, as in every export.
#[expect(unsafe_code, reason = "Node calls this with raw handles")]
unsafe extern "C" fn routed(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: Node hands in those of the call under way, on the thread of its environment.
    let answer = panic::catch_unwind(|| unsafe { answer(env, info) });
    match answer.unwrap_or_else(|panic| Err(panic_to_error(panic))) {
        Ok(value) => value,
        Err(error) => {
            // SAFETY: as above; what is returned is not looked at where an error is pending.
            unsafe { JsError::from(error).throw_into(env) };
            ptr::null_mut()
        }
    }
}

/// # Safety
/// `env` and `info` are those of the call under way.
#[expect(unsafe_code, reason = "the arguments and the answer are raw handles")]
unsafe fn answer(env: sys::napi_env, info: sys::napi_callback_info) -> Result<sys::napi_value> {
    let mut arguments = [ptr::null_mut(); 3];
    let mut count = arguments.len();
    // SAFETY: as the caller promises. Node writes as many as there is room for: what was not given is undefined.
    let status = unsafe {
        let (this, data) = (ptr::null_mut(), ptr::null_mut());
        sys::napi_get_cb_info(env, info, &raw mut count, arguments.as_mut_ptr(), this, data)
    };
    check_status!(status, "cannot read the arguments of `route`")?;
    let [notebook, question, wall_ms] = arguments;
    // SAFETY: as the caller promises; the arguments are values of this call.
    unsafe {
        let (question, wall_ms) = (u32::from_napi_value(env, question)?, f64::from_napi_value(env, wall_ms)?);
        let packed = text::with(env, notebook, |notebook| route(notebook, question, wall_ms))?;
        f64::to_napi_value(env, packed)
    }
}

/// Tells the attributes, as JSON, that the next questions are about; gives the number that stands for them until others are
/// told. 0 stands for none at any time.
#[napi(catch_unwind)]
pub fn ask(attributes: String) -> Result<u32> {
    QUESTIONS.with_borrow_mut(|questions| {
        if questions.number == BARE || questions.told != attributes {
            questions.context = context(String::new(), &attributes)?;
            questions.told = attributes;
            // After 2^32 questions a number may come again, long after the first that had it was asked.
            questions.number = questions.number.wrapping_add(1).max(1);
        }
        Ok(questions.number)
    })
}

/// Gives one of the attributes that were told another value; false where the question no longer stands for them.
#[napi(catch_unwind)]
pub fn vary(question: u32, name: String, value: Either3<String, f64, bool>) -> Result<bool> {
    QUESTIONS.with_borrow_mut(|questions| {
        let is_asked = question != BARE && question == questions.number;
        if is_asked {
            questions.told.clear();
            questions.context.vary(&name, value_of(value));
        }
        Ok(is_asked)
    })
}

/// The value as it would be read from JSON: whole numbers are integers.
fn value_of(value: Either3<String, f64, bool>) -> Value {
    match value {
        Either3::A(text) => Value::from(text),
        Either3::B(number) if number.trunc() == number => Value::from(number as i64),
        Either3::B(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Either3::C(flag) => Value::from(flag),
    }
}

/// The outcome of that number as JSON: a decision, of some notebook and bucket. A number never changes its meaning; one that
/// `route` has just given is known.
#[napi(catch_unwind)]
pub fn outcome(number: u32) -> Result<String> {
    outcomes::with(number, write)
}
