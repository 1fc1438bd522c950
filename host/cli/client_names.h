// What commands say of the operator door is half of what they say: its words, without the room they come
// from.
#pragma once

#include "host/client/client.h"
#include "host/client/failure.h"
#include "host/client/interruption.h"
#include "host/client/locate.h"

namespace sallyport::host::cli {

using client::Answer;
using client::AnswerTooLong;
using client::caveatOf;
using client::Client;
using client::configurationFile;
using client::elementsOf;
using client::Environment;
using client::EventStream;
using client::ExitCode;
using client::Failure;
using client::idOf;
using client::Interruption;
using client::InterruptOnSignal;
using client::isTrue;
using client::isWorkerAddress;
using client::locate;
using client::locateDataDirectory;
using client::LocateOptions;
using client::numberOf;
using client::objectOf;
using client::optionalText;
using client::Refused;
using client::slowCallOf;
using client::SseEvent;
using client::Target;
using client::textOf;
using client::Unreachable;
using client::UsageError;

}  // namespace sallyport::host::cli
