// SPDX-License-Identifier: Apache-2.0
// The only C++ of the store: a thin C face over RocksDB 7.8. It decides how files are made and
// nothing else. No exception leaves it (RocksDB throws none), and nothing of RocksDB shows in
// rocks.h.
#include "store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/metadata.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int    kNever = 1 << 20;
constexpr size_t kAtOnce = 512;

rocksdb::Slice slice_of(RocksBytes bytes)
{
    return rocksdb::Slice(bytes.at == nullptr ? "" : bytes.at, bytes.length);
}

RocksBytes bytes_of(const rocksdb::Slice &slice)
{
    return RocksBytes{ slice.data(), slice.size() };
}

bool answer(const rocksdb::Status &status, char *reason)
{
    if (!status.ok())
        snprintf(reason, ROCKS_REASON, "%s", status.ToString().c_str());
    return status.ok();
}

rocksdb::BlockBasedTableOptions table_options(RocksKind kind,
                                              const std::shared_ptr<rocksdb::Cache> &cache)
{
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.checksum = rocksdb::kXXH3;
    table.format_version = 5;
    // A lookup of ids asks every run's filter: those stay in memory (1.6 bytes an id), out of the
    // cache.
    table.cache_index_and_filter_blocks = kind != ROCKS_PROBED;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.block_size = kind == ROCKS_SCANNED ? 32 << 10 : 4 << 10;
    if (kind == ROCKS_PROBED) {
        // A resend of old ids would otherwise search every run.
        table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
        table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
        table.optimize_filters_for_memory = true;
    }
    return table;
}

rocksdb::ColumnFamilyOptions family_options(RocksKind kind,
                                            const std::shared_ptr<rocksdb::Cache> &cache)
{
    rocksdb::ColumnFamilyOptions options;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(kind, cache)));
    options.write_buffer_size = 1 << 20;  // memtables stay empty
    options.level0_slowdown_writes_trigger = kNever;
    options.level0_stop_writes_trigger = kNever;
    options.soft_pending_compaction_bytes_limit = 0;
    options.hard_pending_compaction_bytes_limit = 0;
    options.force_consistency_checks = true;
    options.paranoid_file_checks = false;  // would read every file again after writing it
    options.compression = kind == ROCKS_SCANNED ? rocksdb::kZSTD : rocksdb::kNoCompression;
    options.compression_opts.level = 1;
    if (kind == ROCKS_PROBED) {
        options.compaction_style = rocksdb::kCompactionStyleUniversal;
        options.level0_file_num_compaction_trigger = 64;
        options.target_file_size_base = 256 << 20;
    }
    if (kind == ROCKS_SCANNED)
        options.disable_auto_compactions = true;
    return options;
}

// The files that this thread's ingest has asked to delete; nullptr outside of one.
thread_local std::vector<std::string> *deferred = nullptr;

// An ingest whose write of the manifest failed may have happened all the same, which only the next
// start can tell. RocksDB deletes its files at once, and a store whose manifest names files that
// are gone never opens again. So what an ingest deletes goes when it has succeeded; after a failure
// nothing is deleted until another succeeds, which begins a new manifest, or until the next start.
class PatientFiles : public rocksdb::FileSystemWrapper {
public:
    PatientFiles() : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {}

    const char *Name() const override { return "PatientFiles"; }

    rocksdb::IOStatus DeleteFile(const std::string &name, const rocksdb::IOOptions &options,
                                 rocksdb::IODebugContext *debug) override
    {
        if (deferred == nullptr)
            return target()->DeleteFile(name, options, debug);
        deferred->push_back(name);
        return rocksdb::IOStatus::OK();
    }
};

// One for the process, as RocksDB's own is, whose threads outlive a database.
rocksdb::Env *patient_files()
{
    static rocksdb::Env *const files =
        rocksdb::NewCompositeEnv(std::make_shared<PatientFiles>()).release();
    return files;
}

rocksdb::DBOptions database_options(const RocksOptions *wanted)
{
    rocksdb::DBOptions options;
    options.env = patient_files();
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.paranoid_checks = true;
    options.max_background_jobs = wanted->threads;
    options.max_subcompactions = 1;
    options.max_open_files = -1;
    options.max_file_opening_threads = 2;
    options.avoid_flush_during_shutdown = true;
    options.info_log_level = rocksdb::WARN_LEVEL;
    options.max_log_file_size = 1 << 20;
    options.keep_log_file_num = 2;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.bytes_per_sync = 1 << 20;
    options.max_total_wal_size = 1 << 20;
    return options;
}

rocksdb::Status each_key_of_file(const rocksdb::Options &options, const std::string &path,
                                 bool (*take)(void *to, RocksBytes key), void *to, bool *more)
{
    rocksdb::SstFileReader reader(options);
    rocksdb::Status        status = reader.Open(path);
    if (!status.ok())
        return status;
    rocksdb::ReadOptions scan;
    scan.fill_cache = false;
    scan.readahead_size = 2 << 20;
    std::unique_ptr<rocksdb::Iterator> iterator(reader.NewIterator(scan));
    for (iterator->SeekToFirst(); iterator->Valid() && *more; iterator->Next())
        *more = take(to, bytes_of(iterator->key()));
    return iterator->status();
}

}  // namespace

struct Rocks {
    rocksdb::DB                               *database = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle *> families;
    std::vector<rocksdb::ColumnFamilyOptions>  options;
    rocksdb::ColumnFamilyHandle               *unused = nullptr;  // "default" must exist
    bool                                       in_doubt = false;  // did the last ingest happen?
};

struct RocksFile {
    std::unique_ptr<rocksdb::SstFileWriter> writer;
};

struct RocksCursor {
    std::unique_ptr<rocksdb::Iterator> iterator;
};

extern "C" {

bool rocks_open(const RocksOptions *wanted, Rocks **rocks, char *reason)
{
    auto made = std::make_unique<Rocks>();
    auto cache = rocksdb::NewLRUCache(wanted->cache_bytes, -1, false, 0.5);
    std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
    for (int i = 0; i < ROCKS_FAMILIES; i++) {
        made->options.push_back(family_options(wanted->families[i].kind, cache));
        descriptors.emplace_back(wanted->families[i].name, made->options.back());
    }
    descriptors.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
    rocksdb::Status status = rocksdb::DB::Open(database_options(wanted), wanted->folder,
                                               descriptors, &made->families, &made->database);
    if (!answer(status, reason))
        return false;
    made->unused = made->families.back();
    made->families.pop_back();
    *rocks = made.release();
    return true;
}

void rocks_close(Rocks *rocks)
{
    if (rocks == nullptr)
        return;
    rocksdb::CancelAllBackgroundWork(rocks->database, true);
    for (rocksdb::ColumnFamilyHandle *family : rocks->families)
        rocks->database->DestroyColumnFamilyHandle(family);
    rocks->database->DestroyColumnFamilyHandle(rocks->unused);
    rocks->database->Close();
    delete rocks->database;
    delete rocks;
}

bool rocks_file_open(Rocks *rocks, int family, const char *path, RocksFile **file, char *reason)
{
    auto               made = std::make_unique<RocksFile>();
    rocksdb::EnvOptions environment;
    environment.bytes_per_sync = 1 << 20;
    rocksdb::Options options(rocksdb::DBOptions(), rocks->options[static_cast<size_t>(family)]);
    // Not dropping the pages: what was just sealed is what is read most.
    made->writer = std::make_unique<rocksdb::SstFileWriter>(
        environment, options, rocks->families[static_cast<size_t>(family)], false);
    if (!answer(made->writer->Open(path), reason))
        return false;
    *file = made.release();
    return true;
}

bool rocks_file_put(RocksFile *file, RocksBytes key, RocksBytes value, char *reason)
{
    return answer(file->writer->Put(slice_of(key), slice_of(value)), reason);
}

uint64_t rocks_file_bytes(const RocksFile *file)
{
    return file->writer->FileSize();
}

bool rocks_file_finish(RocksFile *file, char *reason)
{
    return answer(file->writer->Finish(), reason);
}

void rocks_file_close(RocksFile *file)
{
    delete file;
}

bool rocks_ingest(Rocks *rocks, const RocksIngest *files, size_t count, char *reason)
{
    std::vector<rocksdb::IngestExternalFileArg> arguments;
    for (int family = 0; family < ROCKS_FAMILIES; family++) {
        rocksdb::IngestExternalFileArg argument;
        argument.column_family = rocks->families[static_cast<size_t>(family)];
        argument.options.move_files = true;
        argument.options.snapshot_consistency = false;
        argument.options.write_global_seqno = false;
        argument.options.verify_file_checksum = false;
        argument.options.fail_if_not_bottommost_level =
            rocks->options[static_cast<size_t>(family)].disable_auto_compactions;
        for (size_t i = 0; i < count; i++)
            if (files[i].family == family)
                argument.external_files.emplace_back(files[i].path);
        if (!argument.external_files.empty())
            arguments.push_back(std::move(argument));
    }
    std::vector<std::string> unneeded;
    deferred = &unneeded;
    rocksdb::Status status = rocks->database->IngestExternalFiles(arguments);
    deferred = nullptr;
    if (!status.ok() && !rocks->in_doubt)
        rocks->in_doubt = rocks->database->DisableFileDeletions().ok();
    if (status.ok() && rocks->in_doubt)
        rocks->in_doubt = !rocks->database->EnableFileDeletions(false).ok();
    for (size_t i = 0; i < unneeded.size() && status.ok(); i++)
        patient_files()->DeleteFile(unneeded[i]).PermitUncheckedError();
    return answer(status, reason);
}

bool rocks_drop(Rocks *rocks, int family, RocksBytes from, RocksBytes to, char *reason)
{
    rocksdb::Slice    begin = slice_of(from), end = slice_of(to);
    rocksdb::RangePtr range(&begin, &end);
    return answer(rocksdb::DeleteFilesInRanges(rocks->database,
                                               rocks->families[static_cast<size_t>(family)], &range,
                                               1, false),
                  reason);
}

bool rocks_find(Rocks *rocks, const RocksLookup *lookup, char *reason)
{
    std::vector<rocksdb::Slice>         slices(kAtOnce);
    std::vector<rocksdb::Status>        statuses(kAtOnce);
    std::vector<rocksdb::PinnableSlice> values(kAtOnce);
    rocksdb::ReadOptions                options;
    size_t                              family = static_cast<size_t>(lookup->family);
    // A block read for a random key is never read again soon: it would only push others out.
    options.fill_cache = rocks->options[family].disable_auto_compactions;
    for (size_t done = 0; done < lookup->count; done += kAtOnce) {
        size_t piece = lookup->count - done < kAtOnce ? lookup->count - done : kAtOnce;
        for (size_t i = 0; i < piece; i++)
            slices[i] = slice_of(lookup->keys[done + i]);
        rocks->database->MultiGet(options, rocks->families[family], piece, slices.data(),
                                  values.data(), statuses.data(), true);
        for (size_t i = 0; i < piece; i++) {
            if (!statuses[i].IsNotFound() && !answer(statuses[i], reason))
                return false;
            if (statuses[i].ok())
                lookup->found(lookup->to, done + i, bytes_of(values[i]));
            values[i].Reset();
        }
    }
    return true;
}

RocksCursor *rocks_cursor_open(Rocks *rocks, int family, RocksScan scan)
{
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    options.auto_prefix_mode = false;
    if (scan == ROCKS_ONCE) {
        options.fill_cache = false;
        options.readahead_size = 2 << 20;
    }
    auto *cursor = new RocksCursor;
    cursor->iterator.reset(
        rocks->database->NewIterator(options, rocks->families[static_cast<size_t>(family)]));
    return cursor;
}

void rocks_cursor_close(RocksCursor *cursor)
{
    delete cursor;
}

void rocks_cursor_seek(RocksCursor *cursor, RocksBytes key)
{
    cursor->iterator->Seek(slice_of(key));
}

bool rocks_cursor_valid(RocksCursor *cursor)
{
    return cursor->iterator->Valid();
}

RocksBytes rocks_cursor_key(RocksCursor *cursor)
{
    return bytes_of(cursor->iterator->key());
}

RocksBytes rocks_cursor_value(RocksCursor *cursor)
{
    return bytes_of(cursor->iterator->value());
}

void rocks_cursor_next(RocksCursor *cursor)
{
    cursor->iterator->Next();
}

bool rocks_cursor_failed(RocksCursor *cursor, char *reason)
{
    return !answer(cursor->iterator->status(), reason);
}

unsigned rocks_runs(Rocks *rocks, int family)
{
    rocksdb::ColumnFamilyMetaData about;
    rocks->database->GetColumnFamilyMetaData(rocks->families[static_cast<size_t>(family)], &about);
    size_t runs = 0;
    for (const rocksdb::LevelMetaData &level : about.levels)
        runs += level.level == 0 ? level.files.size() : (level.files.empty() ? 0 : 1);
    return static_cast<unsigned>(runs);
}

unsigned rocks_files(Rocks *rocks, int family)
{
    rocksdb::ColumnFamilyMetaData about;
    rocks->database->GetColumnFamilyMetaData(rocks->families[static_cast<size_t>(family)], &about);
    return static_cast<unsigned>(about.file_count);
}

uint64_t rocks_bytes(Rocks *rocks)
{
    uint64_t bytes = 0;
    for (rocksdb::ColumnFamilyHandle *family : rocks->families) {
        uint64_t more = 0;
        rocks->database->GetIntProperty(family, rocksdb::DB::Properties::kTotalSstFilesSize, &more);
        bytes += more;
    }
    return bytes;
}

bool rocks_each_key(Rocks *rocks, int family, bool (*take)(void *to, RocksBytes key), void *to,
                    char *reason)
{
    rocksdb::ColumnFamilyMetaData about;
    rocksdb::Status               status = rocks->database->DisableFileDeletions();
    if (!answer(status, reason))
        return false;
    rocks->database->GetColumnFamilyMetaData(rocks->families[static_cast<size_t>(family)], &about);
    rocksdb::Options options(rocksdb::DBOptions(), rocks->options[static_cast<size_t>(family)]);
    bool             more = true;
    for (const rocksdb::LevelMetaData &level : about.levels)
        for (size_t i = 0; i < level.files.size() && status.ok() && more; i++)
            status = each_key_of_file(options, level.files[i].db_path + level.files[i].name, take,
                                      to, &more);
    rocks->database->EnableFileDeletions(false);
    return answer(status, reason);
}

bool rocks_checkpoint(Rocks *rocks, const char *folder, char *reason)
{
    rocksdb::Checkpoint *made = nullptr;
    if (!answer(rocksdb::Checkpoint::Create(rocks->database, &made), reason))
        return false;
    std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    return answer(checkpoint->CreateCheckpoint(folder, 0), reason);
}

}  // extern "C"
