// The everyday names of Degu: goroutines, channels, select, locks, contexts.
#pragma once

#include <degu/base/error.h>
#include <degu/base/time.h>
#include <degu/context/after_func.h>
#include <degu/context/cancel_scope.h>
#include <degu/context/context.h>
#include <degu/rt/os_thread.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/cond.h>
#include <degu/sync/func_timer.h>
#include <degu/sync/generator.h>
#include <degu/sync/mutex.h>
#include <degu/sync/once.h>
#include <degu/sync/pool.h>
#include <degu/sync/rw_mutex.h>
#include <degu/sync/select.h>
#include <degu/sync/semaphore.h>
#include <degu/sync/single_flight.h>
#include <degu/sync/task_group.h>
#include <degu/sync/ticker.h>
#include <degu/sync/timer.h>
#include <degu/sync/wait_group.h>
